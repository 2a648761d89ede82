import type { Folded } from './follower.ts'

/** Tells whoever waits for a life that something was decided about it. */
export class Waits {
  readonly #byUid = new Map<string, Set<() => void>>()

  /** `look` is called after each entry about the life; resolves with `true` once it says so, with `false` after `ms`. Keeps no process open. */
  async until(uid: string, look: () => boolean, ms: number): Promise<boolean> {
    if (look()) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const check = (): void => {
      if (look()) resolve(true)
    }
    const checks = this.#byUid.get(uid) ?? new Set()
    this.#byUid.set(uid, checks.add(check))
    const timer = Number.isFinite(ms) ? setTimeout(() => resolve(false), ms).unref() : undefined
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      checks.delete(check)
      if (checks.size === 0 && this.#byUid.get(uid) === checks) this.#byUid.delete(uid)
    }
  }

  after({ batch, answers }: Folded): void {
    if (this.#byUid.size === 0) return
    for (const [i, entry] of batch.entries.entries()) {
      const answer = answers[i]!
      if (entry.type === 'purge') this.all()
      else if ('uid' in entry) this.#look(entry.uid)
      else if ('uid' in answer) this.#look(answer.uid)
    }
  }

  all(): void {
    for (const uid of this.#byUid.keys()) this.#look(uid)
  }

  #look(uid: string): void {
    for (const check of this.#byUid.get(uid) ?? []) check()
  }
}
