import type { Child } from './child.ts'

/** Which of the children a blow hit, by their numbers. */
export type Struck = 'all' | readonly number[]

/** A blow that fell, from its start until all was well again, epoch ms. */
export interface Fallen {
  readonly blow: string
  readonly from: number
  readonly until: number
  readonly workers: Struck
}

/** One more run of an attempt that had been run before. */
export interface Duplicate {
  readonly uid: string
  /** Starts of the run before it and of this one, epoch ms. */
  readonly first: number
  readonly again: number
  /** The children in which these were. */
  readonly processes: readonly [first: number, again: number]
}

/** Leases run out, and connections are missed and made anew, within this after a blow, ms. */
const AFTERMATH = 5_000

export function duplicatesOf(children: readonly Pick<Child, 'reports'>[]): Duplicate[] {
  const runs = children
    .flatMap(({ reports }, process) =>
      reports.flatMap((report) =>
        report.type === 'active' ? [{ uid: report.uid, attempt: report.attempt, at: report.at, process }] : [],
      ),
    )
    .toSorted((a, b) => a.at - b.at)
  const last = new Map<string, (typeof runs)[number]>()
  return runs.flatMap((run) => {
    const key = `${run.uid} ${run.attempt}`
    const before = last.get(key)
    last.set(key, run)
    return before ? [{ uid: run.uid, first: before.at, again: run.at, processes: [before.process, run.process] }] : []
  })
}

/**
 * Those that ran again although nothing had befallen either worker: the one that ran them before, or one that was frozen with
 * the job in its hands, and begins it only when another has run it. A job whose settlements are not fenced goes on twice once it
 * has run twice, so that one blow explains all that comes after.
 */
export function unexplainedBy(
  duplicates: readonly Duplicate[],
  fallen: readonly Fallen[],
  isFenced: (uid: string) => boolean,
): Duplicate[] {
  const twofold = new Set<string>()
  return duplicates.filter((duplicate) => {
    const { uid } = duplicate
    if (twofold.has(uid)) return false
    const isExplained = fallen.some((blow) => explains(blow, duplicate))
    if (isExplained && !isFenced(uid)) twofold.add(uid)
    return !isExplained
  })
}

function explains({ from, until, workers }: Fallen, { first, again, processes }: Duplicate): boolean {
  const isHit = workers === 'all' || processes.some((each) => workers.includes(each))
  return isHit && from <= again && first <= until + AFTERMATH
}
