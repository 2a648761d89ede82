import type { Delivery } from './driver.ts'

/** What a handler sees: one run of a job. */
export class Job<Data = unknown, Name extends string = string> {
  readonly id: string
  /** One life of the job: a redriven job has the same `id` and another `uid`. */
  readonly uid: string
  readonly name: Name
  readonly queue: string
  readonly data: Data
  readonly headers: Readonly<Record<string, string>>
  /** The run this is, from 1. */
  readonly attempt: number
  /** Total runs allowed. */
  readonly attempts: number
  /** How often a worker was lost while it had the job, since it was added or redriven. */
  readonly crashes: number
  readonly addedAt: Date
  readonly startedAt: Date

  constructor(queue: string, { message, attempt, crashes }: Delivery, data: unknown = message.data) {
    this.id = message.id
    this.uid = message.uid
    this.name = message.name as Name
    this.queue = queue
    this.data = data as Data
    this.headers = message.headers
    this.attempt = attempt
    this.attempts = message.attempts
    this.crashes = crashes
    this.addedAt = new Date(message.addedAt)
    this.startedAt = new Date()
  }
}

/** The job of one name in a map of payloads by job name; over all names a union that `name` discriminates. */
export type JobOf<Jobs extends object, Name extends keyof Jobs & string = keyof Jobs & string> = {
  [N in Name]: Job<Jobs[N], N>
}[Name]
