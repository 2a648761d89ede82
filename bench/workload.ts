import type { Ability, Bout } from './contender.ts'

/** By name; the first is what contenders are compared by. */
export type Measures = Readonly<Record<string, number>>

export interface Workload {
  /** Stable: result files and targets name it. */
  readonly id: string
  readonly title: string
  /** Of all its measures: more of the first is better, less of the others. */
  readonly unit: 'jobs/s' | 'ms' | 'µs'
  readonly needs: readonly Ability[]
  /** Of one bout. Absent in `quick`: it is for full runs only. */
  readonly jobs: { readonly quick?: number; readonly full: number }
  /** Bouts of each contender in a full run. Default: 9 of those whom a target judges, 3 of others. */
  readonly rounds?: number
  /** No bout is run to warm up: the workers have just been started. */
  readonly cold?: boolean
  /** Only ours and the raw client take part: what is compared is how each grows. */
  readonly pair?: boolean
  run(bout: Bout, jobs: number, circumstances: Circumstances): Promise<Measures>
}

export interface Circumstances {
  /** Jobs per second that this contender worked at concurrency 100 earlier in this run. */
  readonly capacity: number
  /** Bytes that the broker holds now. */
  brokerMemory(): number | undefined
  /** Resolves once the broker has done what it still had to do, or after a while. */
  rest(): Promise<void>
  /** More processes that work on the same queue as the bout. */
  processes(count: number): Promise<Crowd>
}

/** Worker processes of one contender on one queue. */
export interface Crowd {
  /** Resolves once all of them together have acknowledged `jobs` jobs, with the ms since they began. */
  ended(jobs: number): Promise<number>
  kill(): Promise<void>
}
