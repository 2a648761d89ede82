import { JobportError } from '@jobport/core/driver'
import type { ServerProperties } from 'amqplib'

/** Before it, handing a job back counts as a crash, and priorities are two. */
const OLDEST = [4, 3] as const

/** Bytes of a frame that holds the headers of a job and its error. RabbitMQ's default is 131,072. */
const LEAST_FRAME = 70_000

/** `rabbitmq 4.3.6`. Throws `SERVER_UNSUITABLE`. */
export function checkServer({ product, version }: ServerProperties, frameMax: number): string {
  const server = `${product.toLowerCase()} ${version}`
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  if (product !== 'RabbitMQ' || isOld) {
    throw new JobportError(
      'SERVER_UNSUITABLE',
      `${server}: needs RabbitMQ ${OLDEST.join('.')} or newer, where a job that is handed back counts no crash`,
    )
  }
  if (frameMax < LEAST_FRAME) {
    const what = `${server}: its frame_max of ${frameMax} bytes leaves no room for the headers of a job`
    throw new JobportError('SERVER_UNSUITABLE', `${what}: at least ${LEAST_FRAME} are needed, 131072 are usual`)
  }
  return server
}
