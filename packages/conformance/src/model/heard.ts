import type { Job, Worker } from '@jobport/core'

/** What the listeners of the workers hear of each life of a job, beside what they are to hear, in order. */
export class Heard {
  readonly #expected = new Map<string, string[]>()
  readonly #heard = new Map<string, string[]>()
  readonly #ignored = new Set<string>()

  follow(worker: Worker): void {
    worker.on('stalled', (job) => this.#hear(job, 'stalled'))
    worker.on('active', (job) => this.#hear(job, 'active'))
    worker.on('completed', (job, result) => this.#hear(job, `completed ${JSON.stringify(result)}`))
    worker.on('failed', (job, _, retryIn) =>
      this.#hear(job, retryIn === null ? 'failed for good' : `failed, again in ${retryIn}`),
    )
    worker.on('dead', (job, _, reason) => this.#hear(job, `dead of ${reason}`))
    worker.on('error', () => {})
  }

  expect(uid: string, ...events: readonly string[]): void {
    listOf(this.#expected, uid).push(...events)
  }

  /** From now on, whatever is told of it is not looked at. */
  forget(uid: string): void {
    this.#ignored.add(uid)
  }

  /** The first life of which something else was told than was to be. */
  difference(): { readonly uid: string; readonly expected: readonly string[]; readonly heard: readonly string[] } | undefined {
    for (const uid of new Set([...this.#expected.keys(), ...this.#heard.keys()])) {
      const [expected, heard] = [listOf(this.#expected, uid), listOf(this.#heard, uid)]
      if (!this.#ignored.has(uid) && expected.join('\n') !== heard.join('\n')) return { uid, expected, heard }
    }
    return undefined
  }

  #hear({ uid }: Job, event: string): void {
    listOf(this.#heard, uid).push(event)
  }
}

function listOf(lists: Map<string, string[]>, uid: string): string[] {
  const list = lists.get(uid) ?? []
  lists.set(uid, list)
  return list
}
