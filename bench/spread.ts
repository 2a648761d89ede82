import { max, quantile } from 'simple-statistics'
import type { Measures } from './workload.ts'

export function spread(ms: readonly number[]): Measures {
  const values = [...ms]
  return { p99: quantile(values, 0.99), p50: quantile(values, 0.5), max: max(values) }
}
