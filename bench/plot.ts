import { median } from 'simple-statistics'
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { TITLES, type Kind } from './arenas.ts'
import { ratioOf } from './ratios.ts'
import { rowsOf, type Results } from './results.ts'
import { targets } from './targets.ts'
import { BACKLOGS, readGrowthKey } from './workloads/growing.ts'

const SHOWN = [...new Set(targets.map(({ workload }) => workload))]

/** Jobport beside the raw client, by broker and workload. */
export async function plotRatios(results: Results): Promise<string> {
  const values = [...new Set(results.rows.map(({ broker }) => broker))].flatMap((broker) =>
    SHOWN.flatMap((workload) => {
      const [ours, raw] = rowsOf(results, broker, workload)
      const ratio = ours && ratioOf(ours, raw)
      return ratio && broker !== 'memory' ? [{ broker: TITLES[broker as Kind], workload, ...ratio }] : []
    }),
  )
  return svg({
    data: { values },
    facet: { field: 'workload', title: null, sort: SHOWN },
    columns: 4,
    spec: {
      width: 150,
      height: 180,
      layer: [
        { mark: 'bar', encoding: { y: { field: 'median', type: 'quantitative', title: 'of the raw client' }, color } },
        { mark: 'rule', encoding: { y: { field: 'lowest', type: 'quantitative' }, y2: { field: 'highest' } } },
        { mark: { type: 'rule', strokeDash: [4, 4] }, encoding: { y: { datum: 1 } } },
      ],
      encoding: { x: { field: 'broker', type: 'nominal', axis: null } },
    },
  })
}

/** What a step of Jobport's costs while more and more jobs wait. */
export async function plotGrowth(results: Results): Promise<string> {
  const values = results.rows
    .filter(({ workload, contender, samples }) => contender === 'Jobport' && workload === 'growth' && samples)
    .flatMap(({ broker, samples }) =>
      Object.entries(samples![0]!)
        .map(([name]) => ({ name, ...readGrowthKey(name) }))
        .filter(({ step }) => !step.endsWith('MiB'))
        .map(({ name, ...of }) => ({
          broker: TITLES[broker as Kind],
          ...of,
          cost: median(samples!.map((measures) => measures[name]!)),
        })),
    )
  return svg({
    data: { values },
    facet: { field: 'step', title: null },
    columns: 5,
    spec: {
      width: 130,
      height: 180,
      mark: { type: 'line', point: true },
      encoding: {
        x: { field: 'backlog', type: 'quantitative', scale: { type: 'log' }, axis: { format: '~s', values: [...BACKLOGS] } },
        y: { field: 'cost', type: 'quantitative', scale: { type: 'log' }, title: 'µs' },
        color,
      },
    },
  })
}

const color = { field: 'broker', type: 'nominal', title: null } as const

async function svg(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG()
}
