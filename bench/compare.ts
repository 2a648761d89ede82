import { median } from 'simple-statistics'
import { markdownTable } from '@jobport/conformance'
import { valuesOf, type Results, type Row } from './results.ts'

/** Of each sample around its row's median: what is within is noise. */
const NOISE = 0.1

/** What changed from one run to another by more than either run varied in itself. */
export function compare(before: Results, after: Results): string {
  const lines = after.rows.flatMap((row) => {
    const earlier = before.rows.find((one) => keyOf(one) === keyOf(row))
    const change = earlier && changeOf(earlier, row)
    return change ? [[row.broker, row.workload, row.contender, ...change]] : []
  })
  if (lines.length === 0) return 'Nothing changed beyond the noise.'
  return markdownTable(['Broker', 'Workload', 'Contender', 'Before', 'After', 'Unit', 'Change'], lines)
}

function changeOf(earlier: Row, later: Row): string[] | undefined {
  const [before, after] = [valuesOf(earlier), valuesOf(later)]
  if (before.length === 0 || after.length === 0) return undefined
  const [was, is] = [median(before), median(after)]
  const apart = Math.max(...before) < Math.min(...after) || Math.max(...after) < Math.min(...before)
  if (!apart || Math.abs(is / was - 1) < NOISE) return undefined
  const better = is > was === (later.unit === 'jobs/s')
  return [was.toFixed(0), is.toFixed(0), later.unit, `${better ? 'better' : 'worse'}, × ${(is / was).toFixed(2)}`]
}

function keyOf({ broker, workload, contender }: Row): string {
  return [broker, workload, contender].join('\n')
}
