import { tamper, tamperAdmin } from '../tamper.ts'
import type { Driver, Message, PublishResult, QueueAdmin } from '@jobport/core/driver'

/** A driver that breaks one promise. The suite must notice: by the named case, on an assertion of its own. */
export interface Saboteur {
  readonly name: string
  /** The case that must go red. */
  readonly caughtBy: string
  /** Numbers of the chapters that it may turn red; every other one must stay green. */
  readonly touches: readonly number[]
  readonly wrap: (driver: Driver) => Driver
  /** What memory cannot show: it is tried on a broker that has processes, and a wire. */
  readonly needs?: 'broker'
  /** Where its driver connects, whatever URL it is given. */
  readonly urlOf?: (url: string) => string
}

/** One whose queues answer otherwise. */
export function answering(
  name: string,
  caughtBy: string,
  touches: readonly number[],
  change: (honest: QueueAdmin) => Partial<QueueAdmin>,
): Saboteur {
  return { name, caughtBy, touches, wrap: (driver) => tamper(driver, { admin: (honest) => tamperAdmin(honest, change(honest)) }) }
}

type Redrive = QueueAdmin['redrive']

interface Redriving {
  /** The dead letter; absent: there is none of that uid. */
  readonly letter: Message | undefined
  readonly honest: QueueAdmin
  readonly publish: (message: Message) => Promise<PublishResult | undefined>
}

/** One that redrives otherwise. */
export function redriving(
  { name, caughtBy, touches }: Pick<Saboteur, 'name' | 'caughtBy' | 'touches'>,
  redrive: (job: Redriving, ...args: Parameters<Redrive>) => ReturnType<Redrive>,
): Saboteur {
  const wrap = (driver: Driver): Driver =>
    tamper(driver, {
      admin: (honest, queue) =>
        tamperAdmin(honest, {
          redrive: async (uid, as) => {
            const { jobs } = await honest.list('dead', { limit: 1_000 })
            const letter = jobs.find(({ message }) => message.uid === uid)?.message
            const publish = async (message: Message): Promise<PublishResult | undefined> =>
              (await driver.publish(queue, [message], { signal: new AbortController().signal }))[0]
            return redrive({ letter, honest, publish }, uid, as)
          },
        }),
    })
  return { name, caughtBy, touches, wrap }
}
