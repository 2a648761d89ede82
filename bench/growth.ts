import { median } from 'simple-statistics'
import { markdownTable } from '@jobport/conformance'
import { TITLES, type Kind } from './arenas.ts'
import { BACKLOGS, growthKey } from './workloads/growing.ts'
import type { Results } from './results.ts'

const [FEW, MANY] = [BACKLOGS[0], BACKLOGS.at(-1)!]
const JUDGED = ['add', 'work']
const STEPS = [...JUDGED, 'add with id', 'counts', 'get', 'remove']
/** What a step may cost at the larger backlog, of what it costs at the smaller. */
const MOST = 1.2

/** How much dearer a step is with a million jobs waiting than with ten thousand: the median of the rounds. */
export function growthOf({ rows }: Results): string {
  const lines = rows
    .filter(({ workload, samples }) => workload === 'growth' && samples)
    .map(({ broker, contender, samples }) => {
      const grown = (step: string): number =>
        median(samples!.map((measures) => measures[growthKey(step, MANY)]! / measures[growthKey(step, FEW)]!))
      const verdict = `${MOST.toFixed(2)}, ${JUDGED.every((step) => grown(step) <= MOST) ? 'met' : 'missed'}`
      const figures = STEPS.map(grown).map((by) => (Number.isFinite(by) ? by.toFixed(2) : ''))
      return [TITLES[broker as Kind], contender, ...figures, contender === 'Jobport' ? verdict : '']
    })
  return markdownTable(['Broker', 'Contender', ...STEPS, `Target for ${JUDGED.join(' and ')}`], lines)
}
