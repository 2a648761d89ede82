import { median } from 'simple-statistics'
import { valuesOf, type Row } from './results.ts'

export interface Ratio {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** Bout by bout, of pairs that ran one after the other. Above 1 is better, whatever the unit. Absent: one of them has none, or took no time. */
export function ratioOf(ours: Row, other: Row | undefined): Ratio | undefined {
  if (!ours.samples || !other?.samples) return undefined
  const theirs = valuesOf(other)
  const pairs = valuesOf(ours).slice(0, theirs.length)
  const ratios = pairs.map((value, i) => (ours.unit === 'jobs/s' ? value / theirs[i]! : theirs[i]! / value))
  if (ratios.length === 0 || !ratios.every(Number.isFinite)) return undefined
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) }
}
