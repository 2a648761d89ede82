/** What a job carries. */
export interface Payload {
  /** Which of the bout's jobs it is. */
  readonly i: number
  /** When it may start at the earliest, epoch ms. */
  readonly at: number
  readonly pad: string
}

export interface Choice {
  /** An id of the job's own: while it lives, another of the same is refused. */
  readonly id?: string
  /** ms */
  readonly delay?: number
  /** Runs at most; between them no wait. */
  readonly attempts?: number
}

/** What of `Choice`, and what else, a contender has. What it has not is told as absent. */
export type Ability =
  | keyof Choice
  | 'many'
  | 'dead'
  | 'shared'
  /** Jobs that a worker leaves wait for the next one. */
  | 'kept'

/** One queue in the hands of one contender. */
export interface Bout {
  /** Has the broker do what the first job of a queue brings about, before the clock starts. Absent: `open` has. */
  prepare?(): Promise<void>
  /** Resolves once the broker has confirmed it. */
  add(payload: Payload, choice?: Choice): Promise<unknown>
  /** All in as few steps as the contender has. */
  addMany?(payloads: readonly Payload[]): Promise<unknown>
  /** Works until what it answers is called. `done` is called for each job that it has acknowledged; a handler that throws fails its run. */
  work(concurrency: number, handle: (payload: Payload) => unknown, done: () => void): Promise<() => Promise<void>>
  /** Brings all dead letters back; answers how many. */
  redriveAll?(): Promise<number>
  /** How many dead letters there are. */
  dead?(): Promise<number>
  counts?(): Promise<unknown>
  /** Looks at one job, and removes it, by its id. */
  get?(id: string): Promise<unknown>
  remove?(id: string): Promise<unknown>
  /** Leaves nothing behind. */
  drop(): Promise<void>
}

/** A way to have jobs run. */
export interface Contender {
  readonly title: string
  readonly abilities: ReadonlySet<Ability>
  /** Another library. A peer that hangs is not waited for, and peers have fewer bouts. */
  readonly isPeer?: true
  /** Ids of the workloads that it takes part in; of others it has no row. Absent: in all that it is able to. */
  readonly workloads?: ReadonlySet<string>
  open(queue: string): Promise<Bout>
}
