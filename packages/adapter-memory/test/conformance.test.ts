import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-memory'
import type { Message } from '@jobport/core/driver'

const url = 'memory://conformance'
certify({ name: 'memory', createDriver: () => createDriver(url), corrupt })

/** Nothing but a driver writes to this broker: a message without a name, which core would never publish. */
async function corrupt(queue: string): Promise<void> {
  await createDriver(url).publish(queue, [{ id: 'torn', uid: 'torn' } as Message])
}
