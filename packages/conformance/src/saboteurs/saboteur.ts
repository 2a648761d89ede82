import { tamper, tamperAdmin } from '../tamper.ts'
import type { Driver, QueueAdmin } from '@jobport/core/driver'

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
