import type { Job, Worker } from '@jobport/core'

/** What the listeners of each worker hear of each life of a job, beside what they are to hear, in order. Two workers may speak at once. */
export class Heard {
  readonly #expected = new Map<string, string[]>()
  readonly #heard = new Map<string, string[]>()
  readonly #ignored = new Set<string>()

  follow(worker: Worker, id: number): void {
    const hear = ({ uid }: Job, event: string): void => void listOf(this.#heard, keyOf(uid, id)).push(event)
    worker.on('stalled', (job) => hear(job, 'stalled'))
    worker.on('active', (job) => hear(job, 'active'))
    worker.on('completed', (job, result) => hear(job, `completed ${JSON.stringify(result)}`))
    worker.on('failed', (job, _, retryIn) => hear(job, retryIn === null ? 'failed for good' : `failed, again in ${retryIn}`))
    worker.on('dead', (job, _, reason) => hear(job, `dead of ${reason}`))
    worker.on('error', () => {})
  }

  expect(uid: string, worker: number, ...events: readonly string[]): void {
    listOf(this.#expected, keyOf(uid, worker)).push(...events)
  }

  /** From now on, whatever is told of it is not looked at. */
  forget(uid: string): void {
    this.#ignored.add(uid)
  }

  /** The first life of which something else was told than was to be. */
  difference(): { readonly uid: string; readonly expected: readonly string[]; readonly heard: readonly string[] } | undefined {
    for (const key of new Set([...this.#expected.keys(), ...this.#heard.keys()])) {
      const [expected, heard] = [listOf(this.#expected, key), listOf(this.#heard, key)]
      const [uid = ''] = key.split(' ')
      if (!this.#ignored.has(uid) && expected.join('\n') !== heard.join('\n')) return { uid, expected, heard }
    }
    return undefined
  }
}

function keyOf(uid: string, worker: number): string {
  return `${uid} ${worker}`
}

function listOf(lists: Map<string, string[]>, uid: string): string[] {
  const list = lists.get(uid) ?? []
  lists.set(uid, list)
  return list
}
