/** Digits of a delay, base 16, in ms: the chain has a level for each. */
export const LEVELS = 8

/**
 * What a queue is called on the broker. Injective: a queue's name holds no colon and the prefix neither dot nor colon,
 * so no two of these are equal. At most 40 + 1 + 100 + 20 bytes.
 */
export interface Names {
  /** Waiting jobs. */
  readonly work: string
  /** Dead letters. */
  readonly failed: string
  /** The ledger's stream. */
  readonly ledger: string
  /** Fanout to all workers of the queue. */
  readonly control: string
  /** Holds nothing: its consumers are the workers. */
  readonly members: string
  /** Exists while the queue is paused. */
  readonly paused: string
  /** Exists while somebody removes the queue. */
  readonly dropping: string
  readonly delays: DelayNames
}

/** A chain of delay queues. Version 1 of its shape. */
export interface DelayNames {
  /** Entered at the exchange of the delay's highest digit. */
  exchange(level: number): string
  queue(level: number, digit: number): string
  /** Where delayed jobs come out. */
  readonly out: string
  /** Tells which queues of the chain there are: a key for each that exists. */
  readonly registry: string
  /**
   * Takes a message whose next step is missing to the work queue: another connection has dropped the queue and used it again.
   * A shared chain, which nobody drops, has a queue here for messages whose work queue is gone.
   */
  readonly parking: string
  /** Holds nothing. Producers of delayed jobs consume it: when it is deleted, so is the chain. */
  readonly watched: string
  /** One word of a routing key, for whom the job is. */
  readonly address: string
}

export function namesOf(prefix: string, queue: string, delays: 'queue' | 'shared'): Names {
  const work = `${prefix}.${queue}`
  const chain = `${delays === 'shared' ? prefix : work}:delay-v1`
  return {
    work,
    failed: `${work}:failed`,
    ledger: `${work}:ledger`,
    control: `${work}:control`,
    members: `${work}:members`,
    paused: `${work}:paused`,
    dropping: `${work}:dropping`,
    delays: {
      exchange: (level) => `${chain}.${level}`,
      queue: (level, digit) => `${chain}.${level}.${digit}`,
      out: `${chain}.out`,
      registry: `${chain}.registry`,
      parking: `${chain}.parking`,
      watched: `${chain}.watched`,
      // a dot would end the word
      address: queue.replaceAll('.', ':'),
    },
  }
}
