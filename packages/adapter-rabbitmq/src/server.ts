import { JobportError } from '@jobport/core/driver'
import type { ServerProperties } from 'amqplib'

/** Before it, handing a job back counts as a crash, and priorities are two. */
const OLDEST = [4, 3] as const

/** `rabbitmq 4.3.6`. Throws `SERVER_UNSUITABLE`. */
export function checkServer({ product, version }: ServerProperties): string {
  const server = `${product.toLowerCase()} ${version}`
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  if (product !== 'RabbitMQ' || isOld) {
    throw new JobportError(
      'SERVER_UNSUITABLE',
      `${server}: needs RabbitMQ ${OLDEST.join('.')} or newer, where a job that is handed back counts no crash`,
    )
  }
  return server
}
