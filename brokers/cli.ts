import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Argument, Command } from 'commander'
import type { BrokerName } from './broker.ts'
import { sweepContainers } from './container.ts'
import type { KeeperNews } from './keeper.ts'
import { haveEnded, isAlive, killAll } from './processes.ts'
import { recipes } from './recipes.ts'
import { readStates, sweep, type BrokerState } from './state.ts'

const KEEPER = join(import.meta.dirname, 'keeper.ts')
const NAMES = Object.keys(recipes) as BrokerName[]
const END_DEADLINE = 30_000

const brokers = new Argument('[brokers...]', 'which ones').choices(NAMES).default(NAMES)
const program = new Command('npm run brokers --').description('Running brokers for a developer. They stay until `down`.')
program.command('up').description('start those that do not run yet, and print their URLs').addArgument(brokers).action(up)
program.command('env').description('print lines for a shell: eval "$(npm run -s brokers -- env)"').action(env)
program.command('down').description('end them, and what killed test runs left behind').action(down)
await program.parseAsync()

async function up(names: BrokerName[]): Promise<void> {
  await sweep()
  const outcomes = await Promise.allSettled(names.map(async (name) => ({ name, url: kept(name)?.url ?? (await keep(name)) })))
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') fail((outcome.reason as Error).message)
    else console.log(`${recipes[outcome.value.name].title.padEnd(12)}${outcome.value.url}`)
  }
  console.log('For your shell: eval "$(npm run -s brokers -- env)"    To end them: npm run brokers -- down')
}

function env(): void {
  const running = NAMES.map(kept).filter((state) => state !== undefined)
  for (const { name, url } of running) console.log(`export ${recipes[name].variable}=${url}`)
  if (running.length === 0) fail('No broker is up: npm run brokers -- up')
}

async function down(): Promise<void> {
  for (const { name, url, owner } of allKept()) {
    process.kill(owner.pid, 'SIGTERM')
    if (!(await haveEnded([owner], END_DEADLINE))) await killAll([owner])
    console.log(`${recipes[name].title.padEnd(12)}${url} ended`)
  }
  await sweep()
  await sweepContainers()
}

/** Detached from us in all: a pipe of ours that it held would keep whoever reads it waiting. */
async function keep(name: BrokerName): Promise<string> {
  const child = fork(KEEPER, [name], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const ended = once(child, 'exit').then(([code]) => ({
    error: `The process that holds ${name} ended with code ${String(code)}`,
  }))
  const [news] = (await Promise.race([once(child, 'message'), ended.then((news) => [news])])) as [KeeperNews]
  child.unref()
  if ('error' in news) throw new Error(news.error)
  return news.url
}

function kept(name: BrokerName): BrokerState | undefined {
  return allKept().find((state) => state.name === name)
}

function allKept(): BrokerState[] {
  return readStates()
    .map(({ state }) => state)
    .filter((state) => state.kept && isAlive(state.owner))
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
