import { execSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readArguments, wholeNumber } from './arguments.ts'
import { runMocha } from './mocha-run.ts'
import { lanes, readAdapters, type BrokerName, type Lane } from './test-files.ts'
import type { Tally } from './tally.ts'

// npm test -- [--repeat 20] [--grep 'ID-K'] [test files]        ADAPTERS=memory,bullmq limits it

const VARIABLES: Record<BrokerName, string> = {
  redis: 'REDIS_URL',
  postgres: 'POSTGRES_URL',
  rabbitmq: 'RABBITMQ_URL',
  nats: 'NATS_URL',
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

const tally = { passed: 0, skipped: 0, failures: [] as string[] }
try {
  await main()
} catch (error) {
  tally.failures.push(error instanceof Error ? error.message : String(error))
}
if (tally.passed + tally.skipped + tally.failures.length === 0)
  tally.failures.push('no test was run: nothing matches --grep, the files and ADAPTERS')
for (const failure of tally.failures) console.log(`Failed: ${failure}\n`)
if (tally.skipped > 0) console.log(`${tally.skipped} not run: see above`)
console.log(`${tally.passed} passed, ${tally.failures.length} failed`)
process.exitCode = tally.failures.length === 0 && tally.passed > 0 ? 0 : 1

async function main(): Promise<void> {
  const { values, positionals } = readArguments("npm test -- [--repeat 20] [--grep 'ID-K'] [test files]", {
    allowPositionals: true,
    options: { repeat: { type: 'string', default: '1' }, grep: { type: 'string', short: 'g' } },
  })
  const repeat = wholeNumber('--repeat', values.repeat, 1)
  const absent = positionals.filter((file) => !existsSync(file))
  if (absent.length > 0) throw new Error(`no such test file: ${absent.join(', ')}`)
  const adapters = readAdapters(process.env['ADAPTERS'])
  const chosen = lanes(adapters, positionals)
  execSync('tsc -b tsconfig.build.json', { stdio: 'inherit' })
  const flags = [...(values.grep === undefined ? [] : ['--grep', values.grep]), ...(process.env['CI'] ? ['--forbid-only'] : [])]

  await withBrokers(new Set(chosen.flatMap(({ brokers }) => brokers)), async (urls) => {
    const patience = await patienceOf(process.env['JOBPORT_PATIENCE'])
    const env = { ...process.env, ...urls, ADAPTERS: adapters.join(), JOBPORT_PATIENCE: patience }
    for (let round = 1; round <= repeat && !interrupted.signal.aborted; round++) {
      if (repeat > 1) console.log(`Round ${round} of ${repeat}`)
      for (const counts of await runLanes(chosen, flags, env)) add(counts)
    }
  })
}

/** By what the deadlines of the conformance suite are multiplied: told, or measured. */
async function patienceOf(told: string | undefined): Promise<string> {
  if (told !== undefined) return told
  const { measuredPatience } = await import('@jobport/conformance')
  const patience = await measuredPatience()
  if (patience > 1) console.log(`This machine is busy: deadlines are ${patience} times as long`)
  return String(patience)
}

/** Starts each broker once for the whole run. One that cannot be had fails the run: nothing is skipped. */
async function withBrokers(names: Set<BrokerName>, run: (urls: Record<string, string>) => Promise<void>): Promise<void> {
  if (names.size === 0) return run({})
  const { openBroker } = await import('@jobport/brokers')
  const opened = await Promise.allSettled([...names].map(async (name) => ({ name, broker: await openBroker(name) })))
  const running = opened.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
  try {
    const failure = opened.find((result) => result.status === 'rejected')
    if (failure) throw failure.reason
    await run(Object.fromEntries(running.map(({ name, broker }) => [VARIABLES[name], broker.url])))
  } finally {
    await Promise.all(running.map(({ broker }) => broker.close()))
  }
}

/** Two more at once than there are processors, for tests mostly wait; the first shows its report as it goes, each other in one piece at its end. */
async function runLanes(chosen: readonly Lane[], flags: readonly string[], env: NodeJS.ProcessEnv): Promise<Tally[]> {
  const left = chosen.map(({ files, isLoose }, index) => ({ files, isLoose, hold: index > 0 && availableParallelism() > 1 }))
  const tallies: Tally[] = []
  const runner = async (): Promise<void> => {
    for (let lane = left.shift(); lane; lane = left.shift()) {
      const exit = lane.isLoose ? ['--exit'] : []
      const args = [...flags, ...exit, ...lane.files]
      tallies.push(await runMocha(args, { env, signal: interrupted.signal, hold: lane.hold }))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() + 2 }, runner))
  return tallies
}

function add({ passed, skipped, failures }: Tally): void {
  tally.passed += passed
  tally.skipped += skipped
  tally.failures.push(...failures)
}
