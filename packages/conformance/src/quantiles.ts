/** What a measured series comes to, ms. */
export interface Quantiles {
  readonly jobs: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** Absent: nothing was measured. */
export function quantilesOf(all: readonly number[]): Quantiles | undefined {
  if (all.length === 0) return undefined
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { jobs: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}
