#!/usr/bin/env node
import { mkdir, readFile } from 'node:fs/promises'
import { Command } from 'commander'
import Mocha from 'mocha'
import { JobportError } from '@jobport/core'
import { adapterFor, breakingOf, harnessOf, visit, type Adapter } from './adapter.ts'
import { certificateOf } from './certificate.ts'
import { checkValues } from './arguments.ts'
import { certify } from './certify.ts'
import { chapters } from './chapters/index.ts'
import { endSoon } from './ending.ts'
import { markdownOf } from './markdown.ts'
import { measuredPatience } from './patience.ts'
import { Peak } from './peak.ts'
import { trySuite } from './saboteurs/report.ts'
import { clientsBeside, versionBeside } from './versions.ts'
import { setPatience } from './wait.ts'
import { writeCertificate } from './write.ts'
import type { Runner } from './runner.ts'
import type { TortureSummary } from './torture/rounds.ts'

interface Options {
  readonly out: string
  readonly seed?: string
  readonly grep?: string
  readonly module?: string
  readonly broker?: string
  readonly topology: string
  readonly torture?: string
  readonly patience?: string
  readonly quick?: true
  readonly scale: boolean
  readonly saboteurs?: true
}

await new Command('jobport-certify')
  .description('Runs the conformance suite against a broker and writes a certificate.')
  .argument('[broker]', "URL of the broker, for example redis://127.0.0.1:6379, or 'memory'")
  .option('-o, --out <folder>', 'where the certificate goes, as JSON and Markdown', 'certificates')
  .option('-s, --seed <number>', 'repeats the draws of an earlier run')
  .option('-g, --grep <pattern>', 'only cases whose id or title matches; writes no certificate')
  .option('-q, --quick', 'leaves out the cases that take ten seconds or more: the certificate then ends at `features`')
  .option('--no-scale', 'leaves out the slow cases of chapter 11, a million jobs among them: it then ends at `resilience`')
  .option(
    '-m, --module <file>',
    "the adapter's module, which exports createDriver(url); default: the one that Jobport has for the URL",
  )
  .option(
    '-b, --broker <file>',
    'a module that exports openBroker(url), a broker of that kind which the suite may stop, kill and freeze (chapter 9), and perhaps serves(url), true if it can open one of that kind, corruptOf(url), which returns a function that puts an unreadable record into a queue, and memoryOf(url), which returns how many bytes that broker holds',
  )
  .option('--topology <text>', 'how the broker stands, for the certificate', 'single')
  .option('--torture <file>', 'what jobport-torture --json wrote of this broker: with it the certificate can reach `endurance`')
  .option('--patience <factor>', 'multiplies all deadlines; default: by how much slower than usual this machine starts Node')
  .option(
    '--saboteurs',
    'tries the suite itself instead: drivers that each break one promise, in memory, and on the broker those that memory cannot show; takes minutes',
  )
  .action((broker: string | undefined, options: Options, command: Command) => {
    if (options.saboteurs) return trySuite(broker, console.log)
    return broker === undefined ? command.error("error: missing required argument 'broker'") : main(broker, options)
  })
  .hook('preAction', (command) => checkValues(command, { whole: { seed: 0 }, positive: ['patience'], patterns: ['grep'] }))
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error instanceof JobportError ? error.message : error)
    process.exitCode = 1
  })
endSoon()

async function main(broker: string, options: Options): Promise<void> {
  const { out, seed, grep, module, broker: own, topology, patience, quick, scale } = options
  setPatience(patience === undefined ? await measuredPatience() : Number(patience))
  const url = broker === 'memory' ? 'memory://certify' : broker
  const adapter = await adapterFor(url, module)
  const { server, driver } = await visit(adapter, url)
  const only = grep === undefined ? undefined : matching(new RegExp(grep))
  // whatever the certificate will need is looked up while nothing is lost if it is not there
  const versions = versionsOf(adapter, driver.name, server)
  const torture = await tortureOf(options)
  if (!only) await mkdir(out, { recursive: true })
  const mocha = new Mocha({ timeout: 0, slow: 5_000, color: process.stdout.isTTY })
  const { abilities, memory } = own === undefined ? { abilities: {} } : await breakingOf(own, url)
  const peak = memory && new Peak(memory)
  const results = certify(
    { ...harnessOf(adapter, url, driver), ...abilities },
    {
      runner: runnerOf(mocha),
      slow: !quick,
      scale: scale && !quick,
      ...(only && { only }),
      ...(seed !== undefined && { seed: Number(seed) }),
    },
  )
  const failures = await new Promise<number>((done) => mocha.run(done))
  const peakBrokerMemory = peak?.end()
  process.exitCode = failures > 0 || results.all().length === 0 ? 1 : 0
  if (only) return

  const certificate = certificateOf(results, {
    adapter: driver.name,
    features: driver.features,
    versions,
    topology,
    ...(peakBrokerMemory !== undefined && { peakBrokerMemory }),
    ...(torture && { torture }),
  })
  const files = await writeCertificate(certificate, server, out)
  console.log(`${markdownOf(certificate)}\nWritten: ${files.join(' and ')}`)
  if (!certificate.certified) process.exitCode = 1
}

function versionsOf({ module: { href } }: Adapter, name: string, server: string): Record<string, string> {
  return { [`adapter ${name}`]: versionBeside(href), ...clientsBeside(href), server }
}

async function tortureOf({ torture }: Options): Promise<TortureSummary | undefined> {
  return torture === undefined ? undefined : (JSON.parse(await readFile(torture, 'utf8')) as TortureSummary)
}

/** Mocha's own interface, without touching the globals. */
function runnerOf(mocha: Mocha): Runner {
  const bdd: Partial<Mocha.MochaGlobals> = {}
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, bdd, '', mocha)
  const { describe, it, after } = bdd as Mocha.MochaGlobals
  return { describe, it, after }
}

function matching(pattern: RegExp): ReadonlySet<string> {
  const cases = chapters.flatMap((chapter) => chapter.cases)
  const ids = cases.filter(({ id, title }) => pattern.test(`${id} ${title}`)).map(({ id }) => id)
  if (ids.length === 0)
    throw new JobportError(
      'INVALID_ARGUMENT',
      `--grep ${pattern} matches no case; chapters: ${[...new Set(cases.map(({ id }) => id.split('-')[0]))].join(', ')}`,
    )
  return new Set(ids)
}
