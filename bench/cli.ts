import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { clientsBeside } from '@jobport/conformance'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError } from 'commander'
import { arenaOf, contendersAt, KINDS, QUICK, TITLES, versionOf, type Arena, type Kind } from './arenas.ts'
import { compare } from './compare.ts'
import { writePage } from './page.ts'
import { measurePart, workloadsOf } from './part.ts'
import { lineUpOf } from './runner.ts'
import { tableOf } from './table.ts'
import type { Results, Row } from './results.ts'
import type { Workload } from './workload.ts'

const FOLDER = new URL('./results/', import.meta.url)
const LATEST = new URL('latest.json', FOLDER)

/** Between two lines of progress where there is no terminal, ms. */
const QUIET = 10_000

interface Options {
  readonly broker: readonly Arena[]
  readonly only?: string
  readonly quick?: boolean
  readonly resume?: boolean
  readonly page?: boolean
  readonly compare?: boolean
}

const ALL: readonly Arena[] = KINDS.map((kind) => ({ kind }))

await new Command('bench')
  .description('Measures Jobport beside raw clients and peers, in turns, on brokers of its own or on yours.')
  .argument('[files...]', 'two result files, with --compare')
  .option('-b, --broker <where...>', `${KINDS.join(', ')}, or the URL of a server that runs`, readArenas, ALL)
  .option('-o, --only <pattern>', 'only workloads whose id matches')
  .option('-q, --quick', 'the table of the main workloads, in minutes')
  .option('-r, --resume', 'keeps what results/latest.json has of other brokers, as after a run that was broken off')
  .option('-p, --page', 'writes docs/performance.md from results/latest.json, and measures nothing')
  .option('-c, --compare', 'shows what changed between two result files, and measures nothing')
  .action(async (files: readonly string[], options: Options) => {
    if (options.compare) console.log(compare(await load(files[0]!), await load(files[1]!)))
    else if (options.page) await writePage(await load(LATEST))
    else await measure(options)
  })
  .parseAsync()

function readArenas(text: string, before: readonly Arena[]): readonly Arena[] {
  const arena = arenaOf(text)
  if (!arena) throw new InvalidArgumentError('It is neither the name of a broker nor the URL of one.')
  return before === ALL ? [arena] : [...before, arena]
}

async function measure({ broker: arenas, only, quick = false, resume = false }: Options): Promise<void> {
  const kinds = arenas.map(({ kind }) => kind)
  const earlier = resume ? await load(LATEST) : undefined
  const start = performance.now() - (earlier?.ms ?? 0)
  // before anything is written
  const now = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  const revision = [...new Set([...(earlier?.revision.split(', ') ?? []), now])].join(', ')
  const chosen = workloadsOf({ only, quick })
  const versions: Record<string, string> = {
    ...earlier?.versions,
    node: process.versions.node,
    ...clientsBeside(import.meta.url),
  }
  const rows: Row[] = earlier?.rows.filter(({ broker }) => !kinds.includes(broker as Kind)) ?? []
  const bar = new SingleBar({
    format: '{bar} {value}/{total} {title}',
    clearOnComplete: true,
    noTTYOutput: true,
    notTTYSchedule: QUIET,
  })
  bar.start(
    kinds.reduce((sum, kind) => sum + boutsOf(kind, chosen, quick), 0),
    0,
    { title: '' },
  )
  for (const { kind, url: given } of arenas) {
    await using server = given === undefined ? await serve(kind) : undefined
    const url = given ?? server?.url ?? 'memory://bench'
    versions[kind] = await versionOf(kind, url)
    const onBout = (title: string): void => bar.increment({ title })
    rows.push(...(await measurePart({ kind, url, only, quick }, onBout)))
    await save(resultsOf(rows, versions, { revision, quick, start }))
  }
  bar.stop()
  const results = resultsOf(rows, versions, { revision, quick, start })
  for (const kind of kinds) console.log(`\n${TITLES[kind]}, ${versions[kind]}\n\n${tableOf(results, kind)}`)
  console.log(`\n${Math.round(results.ms / 1_000)} s`)
}

function resultsOf(
  rows: readonly Row[],
  versions: Readonly<Record<string, string>>,
  { revision, quick, start }: { revision: string; quick: boolean; start: number },
): Results {
  return {
    date: new Date().toISOString(),
    revision,
    quick,
    machine: {
      system: `${process.platform} ${process.arch}`,
      cpus: cpus().length,
      model: cpus()[0]!.model.trim(),
      memory: totalmem(),
    },
    versions,
    ms: Math.round(performance.now() - start),
    rows,
  }
}

/** After each broker: a run that is broken off has measured something. */
async function save(results: Results): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  await writeFile(LATEST, `${JSON.stringify(results, undefined, 1)}\n`)
}

async function serve(kind: Kind): Promise<RunningBroker | undefined> {
  if (kind === 'memory') return undefined
  const settings = kind === 'nats' ? { 'jetstream.max_file_store': '8GB' } : {}
  return openBroker(kind, { own: true, settings })
}

function boutsOf(kind: Kind, chosen: readonly Workload[], quick: boolean): number {
  const contenders = contendersAt(kind, 'x://127.0.0.1:1').slice(0, quick ? QUICK : undefined)
  const lineUps = chosen.map((each) => lineUpOf(each, contenders, { kind, quick }))
  return lineUps.flatMap((lineUp) => [...lineUp.values()]).reduce((sum, bouts) => sum + bouts, 0)
}

async function load(file: string | URL): Promise<Results> {
  return JSON.parse(await readFile(file, 'utf8')) as Results
}
