import { unwritten } from './unwritten.ts'
import type { JobState, Page, QueueAdmin, QueueStatus, Scope, StoredJob } from '@jobport/core/driver'

/** Looks into a queue and tends it. */
export class ExampleAdmin implements QueueAdmin {
  readonly #queue: string

  constructor(queue: string) {
    this.#queue = queue
  }

  counts(): Promise<Record<JobState, number>> {
    return this.#unwritten('counts')
  }

  status(): Promise<QueueStatus> {
    return this.#unwritten('status')
  }

  get(_id: string, _scope: Scope): Promise<StoredJob | undefined> {
    return this.#unwritten('get')
  }

  list(_state: JobState, _page: { readonly limit: number; readonly cursor?: string }): Promise<Page> {
    return this.#unwritten('list')
  }

  remove(_key: string, _scope: Scope): Promise<boolean> {
    return this.#unwritten('remove')
  }

  purge(_scope: Scope): Promise<number> {
    return this.#unwritten('purge')
  }

  redrive(
    _uid: string,
    _as: { readonly uid: string; readonly attempts?: number },
  ): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#unwritten('redrive')
  }

  pause(): Promise<void> {
    return this.#unwritten('pause')
  }

  resume(): Promise<void> {
    return this.#unwritten('resume')
  }

  drop(): Promise<void> {
    return this.#unwritten('drop')
  }

  #unwritten(what: string): Promise<never> {
    return unwritten(`${what} of ${this.#queue}`)
  }
}
