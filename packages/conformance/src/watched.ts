import { intercepted, type Method } from './intercepted.ts'
import type { Broker, Queue } from '@jobport/core'
import type { ServerInfo } from '@jobport/core/driver'
import type { AnyJobs, Context } from './context.ts'

export interface Watched {
  readonly broker: Broker
  readonly queue: Queue<AnyJobs>
  /** What core has called on the driver. */
  readonly methods: readonly Method[]
}

/** A client of its own whose driver's calls are noted, and whose server takes payloads up to `maxPayload` bytes. */
export function watched({ harness, broker: open, queue: { name } }: Context, maxPayload?: number): Watched {
  const methods: Method[] = []
  const broker = open(
    {},
    intercepted(harness.createDriver(), (method, call) => {
      methods.push(method)
      const answer = call()
      if (method !== 'connect' || maxPayload === undefined) return answer
      return (answer as Promise<ServerInfo>).then((info): ServerInfo => ({ ...info, maxPayload }))
    }),
  )
  return { broker, queue: broker.queue(name), methods }
}
