import { isGiven, type ModelJob } from './model-job.ts'
import type { Features, JobState } from '@jobport/core/driver'
import type { Moment } from './moment.ts'

export interface ModelOptions {
  readonly features: Features
  /** How long after its due time a job may still be shown as delayed, ms. */
  readonly lateness: number
}

/** What a queue holds, and what can be read off it. */
export class QueueState {
  readonly name: string
  readonly features: Features
  /** By id: a queue never has two live jobs of one. */
  readonly live: Map<string, ModelJob> = new Map()
  /** Oldest death first. */
  readonly letters: ModelJob[] = []
  /** Concurrency by worker. */
  readonly workers: Map<number, number> = new Map()
  paused = false
  protected readonly lateness: number

  constructor(name: string, { features, lateness }: ModelOptions) {
    this.name = name
    this.features = features
    this.lateness = lateness
  }

  /** When a job last fell due, epoch ms. */
  get lastDue(): number {
    return Math.max(0, ...[...this.live.values()].map(({ place }) => (place.kind === 'due' ? place.at.to : 0)))
  }

  /** Whether a job has had another state before: a broker may still be moving it from where it was. */
  get hasMoved(): boolean {
    return [...this.live.values()].some(
      ({ place, attempt, crashes, lost }) => place.kind !== 'arrived' || attempt > 1 || crashes > 0 || lost,
    )
  }

  /** When the next delayed job may start at the earliest, and when it certainly waits at the latest; epoch ms. */
  get nextDue(): Moment | undefined {
    const dues = [...this.live.values()].flatMap(({ due }) => due ?? [])
    const next = dues.toSorted((a, b) => a.from - b.from)[0]
    return next && { from: next.from, to: next.to + this.lateness }
  }

  /** Jobs that some worker should be given and has not been given yet. */
  get owed(): number {
    return Math.min(this.free, this.in('waiting').length)
  }

  /** Jobs whose end the broker has not confirmed. */
  get unsettled(): number {
    return [...this.live.values()].filter(({ settling }) => settling).length
  }

  /** Jobs whose worker has given them up, and which the broker may show as active until another one is given them. */
  get lost(): ModelJob[] {
    return [...this.live.values()].filter(({ lost }) => lost)
  }

  /** Jobs that workers could take beside those that they have. */
  get free(): number {
    if (this.paused) return 0
    return [...this.workers].reduce((sum, [worker, concurrency]) => sum + concurrency - this.held(worker), 0)
  }

  in(state: JobState): ModelJob[] {
    if (state === 'dead') return this.letters.toReversed()
    return [...this.live.values()].filter((job) => job.state === state)
  }

  /** Those that `list` shows. */
  listed(state: JobState): ModelJob[] {
    const { inspect } = this.features
    if (state === 'dead' || inspect === 'all') return this.in(state)
    return inspect === 'given' ? this.in(state).filter(isGiven) : []
  }

  letter(id: string): ModelJob | undefined {
    return this.letters.findLast(({ message }) => message.id === id)
  }

  held(worker: number): number {
    return [...this.live.values()].filter((job) => job.worker === worker && !job.settling && !job.lost).length
  }

  isLone(worker: number): boolean {
    return this.workers.size === 1 && this.workers.get(worker) === 1
  }

  /** Those that can be removed. */
  get removable(): ModelJob[] {
    return [...this.live.values()].filter(({ state }) => state === 'waiting' || state === 'delayed')
  }
}
