import type { Folded } from './follower.ts'

/** Whether it has seen what it waits for. */
type Look = () => boolean

/** Tells whoever waits for a life that something was decided about it. */
export class Waits {
  readonly #byUid = new Map<string, Look[]>()

  /** Calls `look` after each entry about the life, until it answers `true`. */
  watch(uid: string, look: Look): void {
    const looks = this.#byUid.get(uid)
    if (looks) looks.push(look)
    else this.#byUid.set(uid, [look])
  }

  /** Resolves with `true` once `look` says so, with `false` after `ms`. Keeps no process open. */
  until(uid: string, look: Look, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const seen = (): boolean => {
        if (!look()) return false
        clearTimeout(timer)
        resolve(true)
        return true
      }
      const late = (): void => {
        this.#remove(uid, seen)
        resolve(false)
      }
      const timer = setTimeout(late, ms).unref()
      if (!seen()) this.watch(uid, seen)
    })
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
    for (const uid of [...this.#byUid.keys()]) this.#look(uid)
  }

  #look(uid: string): void {
    const looks = this.#byUid.get(uid)
    if (!looks) return
    this.#byUid.delete(uid)
    for (const look of looks) if (!look()) this.watch(uid, look)
  }

  #remove(uid: string, look: Look): void {
    const others = this.#byUid.get(uid)?.filter((other) => other !== look) ?? []
    if (others.length > 0) this.#byUid.set(uid, others)
    else this.#byUid.delete(uid)
  }
}
