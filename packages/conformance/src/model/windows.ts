import type { Moment } from './moment.ts'

/** Ids that outlive their job, each until some time after it was added. */
export class Windows {
  readonly #windows = new Map<string, { readonly uid: string; readonly until: Moment }>()

  open(id: string, uid: string, until: Moment): void {
    this.#windows.set(id, { uid, until })
  }

  /** Who keeps `id` taken at that moment, and whether that is certain. */
  holderOf(id: string, at: Moment): { readonly uid: string; readonly isCertain: boolean } | undefined {
    const window = this.#windows.get(id)
    if (!window || window.until.to <= at.from) return undefined
    return { uid: window.uid, isCertain: at.to < window.until.from }
  }

  /** Ends the window that `uid` has opened; another's stays. */
  close(id: string, uid: string): void {
    if (this.#windows.get(id)?.uid === uid) this.#windows.delete(id)
  }

  clear(): void {
    this.#windows.clear()
  }
}
