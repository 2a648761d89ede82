import { markdownTable } from '@jobport/conformance'
import { TITLES, type Kind } from './arenas.ts'
import type { Results } from './results.ts'

const [FEW, MANY] = [10_000, 1_000_000]
const STEPS = ['add', 'work'] as const
/** What a step may cost at the larger backlog, of what it costs at the smaller. */
const MOST = 1.2

/** How much dearer a step is with a million jobs waiting than with ten thousand. */
export function growthOf({ rows }: Results): string {
  const costs = (broker: string, contender: string, backlog: number): Readonly<Record<string, number>> | undefined =>
    rows.find((row) => row.broker === broker && row.contender === contender && row.workload === `backlog-${backlog}`)
      ?.samples?.[0]
  const lines = rows
    .filter(({ workload }) => workload === `backlog-${MANY}`)
    .flatMap(({ broker, contender }) => {
      const [few, many] = [costs(broker, contender, FEW), costs(broker, contender, MANY)]
      if (!few || !many) return []
      const grown = STEPS.map((step) => many[step]! / few[step]!)
      const verdict = contender === 'Jobport' ? `${MOST.toFixed(2)}, ${grown.every((by) => by <= MOST) ? 'met' : 'missed'}` : ''
      return [[TITLES[broker as Kind], contender, ...grown.map((by) => (Number.isFinite(by) ? by.toFixed(2) : '')), verdict]]
    })
  return markdownTable(['Broker', 'Contender', ...STEPS, 'Target'], lines)
}
