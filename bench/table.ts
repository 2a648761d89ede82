import { median } from 'simple-statistics'
import { markdownTable } from '@jobport/conformance'
import { ratioOf } from './ratios.ts'
import { rowsOf, valuesOf, type Results, type Row } from './results.ts'
import { targets } from './targets.ts'
import { workloads } from './workloads/index.ts'

/** Every contender under every workload of one broker; ratios are of pairs, above 1 is better. */
export function tableOf(results: Results, broker: string): string {
  const lines = workloads.flatMap(({ id, title, unit }) => {
    const rows = rowsOf(results, broker, id)
    return rows.map((row, i) => [i === 0 ? title : '', row.contender, figure(row, unit), toRaw(row, rows), verdict(row, rows)])
  })
  return markdownTable(['Workload', 'Contender', 'Median', 'Of the raw client', 'Target'], lines)
}

function figure(row: Row, unit: string): string {
  if (!row.samples) return 'absent'
  if (row.samples.length === 0) return 'failed or hung'
  const [first, ...others] = Object.keys(row.samples[0]!)
  const of = (name: string): number => median(row.samples!.map((measures) => measures[name]!))
  const text = `${rounded(median(valuesOf(row)))} ${unit}`
  const more = others.map((name) => `${name} ${rounded(of(name))}`).join(', ')
  return others.length === 0 ? text : `${first} ${text}, ${more}`
}

function toRaw(row: Row, rows: readonly Row[]): string {
  const raw = rows[1]
  const ratio = raw === row ? undefined : ratioOf(row, raw)
  return ratio ? `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)})` : ''
}

function verdict(row: Row, rows: readonly Row[]): string {
  const target = targets.find(
    ({ broker, workload, contender = 'Jobport' }) =>
      broker === row.broker && workload === row.workload && contender === row.contender,
  )
  if (!target) return ''
  const other = target.of === undefined ? rows[1] : rows.find(({ contender }) => contender === target.of)
  const ratio = ratioOf(row, other)
  if (!ratio) return ''
  const reached = ratio.median >= target.least ? 'met' : 'missed'
  return target.of === undefined
    ? `${target.least.toFixed(2)}, ${reached}`
    : `${target.least.toFixed(2)} of ${target.of}, ${reached}: ${ratio.median.toFixed(2)}`
}

function rounded(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 0 : 1)
}
