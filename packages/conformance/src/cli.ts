#!/usr/bin/env node
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import Mocha from 'mocha'
import { JobportError } from '@jobport/core'
import { adapterFor, breakingOf, harnessOf, visit } from './adapter.ts'
import { certificateOf } from './certificate.ts'
import { checkValues } from './arguments.ts'
import { certify } from './certify.ts'
import { chapters } from './chapters/index.ts'
import { markdownOf } from './markdown.ts'
import { Peak } from './peak.ts'
import { trySaboteurs } from './saboteurs/trial.ts'
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
  readonly patience: string
  readonly saboteurs?: true
}

await new Command('jobport-certify')
  .description('Runs the conformance suite against a broker and writes a certificate.')
  .argument('[broker]', "URL of the broker, for example redis://127.0.0.1:6379, or 'memory'; none with --saboteurs")
  .option('-o, --out <folder>', 'where the certificate goes, as JSON and Markdown', 'certificates')
  .option('-s, --seed <number>', 'repeats the draws of an earlier run')
  .option('-g, --grep <pattern>', 'only cases whose id or title matches; writes no certificate')
  .option(
    '-m, --module <file>',
    "the adapter's module, which exports createDriver(url); default: the one that Jobport has for the URL",
  )
  .option(
    '-b, --broker <file>',
    'a module that exports openBroker(url), a broker of that kind which the suite may stop, kill and freeze (chapter 9), and perhaps corruptOf(url), which answers how to put a record that cannot be read into a queue, and memoryOf(url), which answers how many bytes that broker holds',
  )
  .option('--topology <text>', 'how the broker stands, for the certificate', 'single')
  .option('--torture <file>', 'what jobport-torture --json wrote of this broker: with it the certificate can reach `endurance`')
  .option('--patience <factor>', 'multiplies all deadlines, for a machine that is slow or has much else to do', '1')
  .option('--saboteurs', 'tries the suite itself instead: drivers that each break one promise, in memory; takes minutes')
  .action((broker: string | undefined, options: Options, command: Command) => {
    if (options.saboteurs) return trySuite()
    return broker === undefined ? command.error("error: missing required argument 'broker'") : main(broker, options)
  })
  .hook('preAction', (command) => checkValues(command, { whole: { seed: 0 }, positive: ['patience'], patterns: ['grep'] }))
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error instanceof JobportError ? error.message : error)
    process.exitCode = 1
  })

async function main(
  broker: string,
  { out, seed, grep, module, broker: own, topology, torture, patience }: Options,
): Promise<void> {
  setPatience(Number(patience))
  const url = broker === 'memory' ? 'memory://certify' : broker
  const adapter = await adapterFor(url, module)
  const { server, driver } = await visit(adapter, url)
  const only = grep === undefined ? undefined : matching(new RegExp(grep))
  const mocha = new Mocha({ timeout: 0, slow: 5_000, color: process.stdout.isTTY })
  const { abilities, memory } = own === undefined ? {} : await breakingOf(own, url)
  const peak = memory && new Peak(memory)
  const results = certify(
    { ...harnessOf(adapter, url, driver), ...abilities },
    {
      runner: runnerOf(mocha),
      slow: true,
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
    versions: { [`adapter ${driver.name}`]: versionBeside(adapter.module.href), ...clientsBeside(adapter.module.href), server },
    topology,
    ...(peakBrokerMemory !== undefined && { peakBrokerMemory }),
    ...(torture !== undefined && { torture: JSON.parse(await readFile(torture, 'utf8')) as TortureSummary }),
  })
  const files = await writeCertificate(certificate, server, out)
  console.log(`${markdownOf(certificate)}\nWritten: ${files.join(' and ')}`)
  if (!certificate.certified) process.exitCode = 1
}

/** Fails if one escapes. */
async function trySuite(): Promise<void> {
  const { createDriver } = await adapterFor('memory://saboteurs', undefined)
  const { verdicts, unproven } = await trySaboteurs(
    (wrap) => {
      const url = `memory://${randomUUID()}`
      return { name: 'memory', createDriver: () => wrap(createDriver(url)) }
    },
    ({ saboteur: { name, caughtBy }, caught, red }) =>
      console.log(`${caught ? 'caught ' : 'ESCAPED'} ${name}: ${caughtBy}${also(red.filter((id) => id !== caughtBy))}`),
  )
  const escaped = verdicts.filter(({ caught }) => !caught).length
  console.log(`\nUnproven, for no saboteur turned them red: ${unproven.join(', ')}`)
  console.log(`${verdicts.length - escaped} caught, ${escaped} escaped`)
  if (escaped > 0) process.exitCode = 1
}

function also(ids: readonly string[]): string {
  return ids.length === 0 ? '' : `, and ${ids.join(' ')}`
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
