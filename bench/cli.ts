import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { clientsBeside } from '@jobport/conformance'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError, Option } from 'commander'
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

/** What only a run that measures can be told. */
const ELSE = ['broker', 'module', 'only', 'quick', 'resume']

/** Between two lines of progress where there is no terminal, ms. */
const QUIET = 10_000

interface Options {
  readonly broker?: readonly string[]
  readonly module?: string
  readonly only?: string
  readonly quick?: boolean
  readonly resume?: boolean
  readonly page?: boolean
  readonly compare?: boolean
}

await new Command('bench')
  .description('Measures Jobport beside raw clients and peers, in turns, on brokers of its own or on yours.')
  .argument('[files...]', 'two result files, with --compare')
  .option('-b, --broker <where...>', `${KINDS.join(', ')}, or the URL of a server that runs (default: all of them)`)
  .option('-m, --module <file>', "an adapter's module, which exports createDriver(url), measured at the URL of --broker")
  .option('-o, --only <pattern>', 'only workloads whose id matches', readPattern)
  .option('-q, --quick', 'the table of the main workloads, in minutes')
  .option('-r, --resume', 'keeps what results/latest.json has of other brokers, as after a run that was broken off')
  .addOption(
    new Option('-p, --page', 'writes docs/performance.md from results/latest.json, and measures nothing').conflicts(ELSE),
  )
  .addOption(
    new Option('-c, --compare', 'shows what changed between two result files, and measures nothing').conflicts([...ELSE, 'page']),
  )
  .action(async (files: readonly string[], options: Options) => {
    if (files.length !== (options.compare ? 2 : 0))
      throw new Error(options.compare ? '--compare takes two result files' : `only --compare takes files: ${files.join(' ')}`)
    if (options.compare) console.log(compare(await load(files[0]!), await load(files[1]!)))
    else if (options.page) await writePage(await load(LATEST))
    else await measure(arenasOf(options), options)
  })
  .parseAsync()
  .catch((error: Error) => {
    console.error(`error: ${error.message}`)
    process.exitCode = 1
  })

function readPattern(text: string): string {
  try {
    return new RegExp(text).source
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

function arenasOf({ broker: places, module }: Options): readonly Arena[] {
  if (module !== undefined) {
    const [url] = places ?? []
    if (url === undefined || places!.length > 1)
      throw new Error('--module needs one --broker, with the URL that its createDriver takes')
    return [{ kind: 'module', url, module: pathToFileURL(resolve(module)).href }]
  }
  return places?.map(arenaFor) ?? KINDS.map((kind) => ({ kind }))
}

function arenaFor(text: string): Arena {
  const arena = arenaOf(text)
  if (arena) return arena
  throw new Error(`--broker '${text}' is none of ${KINDS.join(', ')}, nor a URL of one; another adapter: with --module`)
}

async function measure(arenas: readonly Arena[], { only, quick = false, resume = false }: Options): Promise<void> {
  const kinds = arenas.map(({ kind }) => kind)
  const earlier = resume ? await load(LATEST) : undefined
  const start = performance.now() - (earlier?.ms ?? 0)
  // before anything is written
  const now = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  const revision = [...new Set([...(earlier?.revision.split(', ') ?? []), now])].join(', ')
  const chosen = workloadsOf({ only, quick })
  if (chosen.length === 0) throw new Error(`--only '${only}' matches none of ${idsOf(workloadsOf({ only: '', quick }))}`)
  const bouts = await Promise.all(arenas.map((arena) => boutsOf(arena, chosen, quick)))
  if (Math.max(...bouts) === 0) throw new Error(`nobody at ${kinds.join(', ')} can take part in ${idsOf(chosen)}`)
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
    bouts.reduce((sum, count) => sum + count, 0),
    0,
    { title: '' },
  )
  for (const arena of arenas) {
    await using server = arena.url === undefined ? await serve(arena.kind) : undefined
    const place = { ...arena, url: arena.url ?? server?.url ?? 'memory://bench' }
    versions[arena.kind] = await versionOf(place)
    const onBout = (title: string): void => bar.increment({ title })
    rows.push(...(await measurePart({ place, only, quick }, onBout)))
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
  if (kind === 'memory' || kind === 'module') return undefined
  const settings = kind === 'nats' ? { 'jetstream.max_file_store': '8GB' } : {}
  return openBroker(kind, { own: true, settings })
}

async function boutsOf(arena: Arena, chosen: readonly Workload[], quick: boolean): Promise<number> {
  const contenders = (await contendersAt({ url: 'x://127.0.0.1:1', ...arena })).slice(0, quick ? QUICK : undefined)
  const lineUps = chosen.map((each) => lineUpOf(each, contenders, { kind: arena.kind, quick }))
  return lineUps.flatMap((lineUp) => [...lineUp.values()]).reduce((sum, bouts) => sum + bouts, 0)
}

function idsOf(some: readonly Workload[]): string {
  return some.map(({ id }) => id).join(', ')
}

async function load(file: string | URL): Promise<Results> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`no results can be read: ${error.message}`)
  })
  return JSON.parse(text) as Results
}
