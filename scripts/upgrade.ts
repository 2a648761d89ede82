import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { openBroker } from '@jobport/brokers'
import type { Certificate } from '@jobport/conformance'
import { readArguments } from './arguments.ts'
import { CERTIFIED, FOLDER, type Certified } from './certified.ts'
import { checkOut, versionIn, type Version } from './earlier.ts'

// node scripts/upgrade.ts [--from <revision>]: an earlier version beside this one, on the same queues of every broker. Default:
// the version that the stored certificate of RabbitMQ is of.

const EACH = 100
const ATTEMPTS = 3
/** Of a run, ms. */
const WORK = 5
const DEADLINE = 60_000

interface Report {
  readonly type: string
  readonly id: string
  readonly attempt: number
  readonly crashes: number
  readonly receipt?: { readonly added: boolean }
}

/** One process of one version. */
class Hand {
  readonly reports: Report[] = []
  readonly #process: ChildProcess

  private constructor(program: string, task: object) {
    this.#process = fork(program, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#process.on('message', (report) => this.reports.push(report as Report))
  }

  static async start(version: Version, adapter: string, task: object): Promise<Hand> {
    const hand = new Hand(version.program, { module: version.module(adapter), ...task })
    await until(`a start of ${version.title}`, () => hand.of('ready').length > 0)
    return hand
  }

  of(type: string): Report[] {
    return this.reports.filter((report) => report.type === type)
  }

  /** Resolves with `true` if it was added. */
  async add(name: string, data: unknown, options: object): Promise<boolean> {
    const before = this.of('added').length
    this.#process.send({ name, data, options })
    await until('a receipt', () => this.of('added').length > before)
    return this.of('added')[before]!.receipt!.added
  }

  async kill(): Promise<void> {
    const exit = once(this.#process, 'exit')
    if (this.#process.kill('SIGKILL')) await exit
  }
}

const { values } = readArguments('node scripts/upgrade.ts [--from <revision>]', { options: { from: { type: 'string' } } })
const stored = JSON.parse(readFileSync(`${FOLDER}/rabbitmq.json`, 'utf8')) as Certificate
using earlier = checkOut(values.from ?? stored.revision!)
const present = versionIn(process.cwd(), 'this version')
for (const certified of CERTIFIED.filter(({ own }) => own)) {
  await beside(certified)
  console.log(`✔ ${certified.title}: ${earlier.title} and ${present.title}`)
}

/** Each of two adds and works; each takes over what the other was killed with. */
async function beside({ own, stem, options }: Certified): Promise<void> {
  await using broker = await openBroker(own!, { own: true })
  const adapter = stem.split('-')[0]!
  const url = `${broker.url}?${options}`
  const versions = [earlier, present]
  await share(versions, adapter, url)
  await takeOver(versions, adapter, url)
  await takeOver(versions.toReversed(), adapter, url)
}

async function share(versions: readonly Version[], adapter: string, url: string): Promise<void> {
  const task = { url, queue: `share-${randomBytes(4).toString('hex')}`, concurrency: 5 }
  const producers = await Promise.all(versions.map((version) => Hand.start(version, adapter, { ...task, role: 'producer' })))
  const fails = (i: number): number => (i % 10 === 9 ? ATTEMPTS : i % ATTEMPTS)
  const ids = producers.map((_, which) => Array.from({ length: EACH }, (_each, i) => `${which}-${i}`))
  for (const [which, producer] of producers.entries())
    for (const [i, id] of ids[which]!.entries()) {
      const delay = i % 4 === 0 ? { delay: 500 } : {}
      expect(await producer.add('mixed', { fails: fails(i), ms: WORK }, { id, attempts: ATTEMPTS, ...delay })).to.equal(true)
    }
  for (const [which, producer] of producers.entries())
    expect(await producer.add('mixed', {}, { id: ids[1 - which]![0] }), 'an id that the other version holds').to.equal(false)
  const workers = await Promise.all(versions.map((version) => Hand.start(version, adapter, { ...task, role: 'worker' })))
  const seen = (type: string): Report[] => workers.flatMap((worker) => worker.of(type))
  const all = ids.flat()
  await until(
    'an end of each job',
    () => seen('completed').length + seen('dead').length >= all.length,
    () => workers,
  )
  const dies = (id: string): boolean => fails(Number(id.split('-')[1])) === ATTEMPTS
  expect(sorted(seen('dead').map(({ id }) => id))).to.deep.equal(sorted(all.filter(dies)))
  expect(sorted(seen('completed').map(({ id }) => id))).to.deep.equal(sorted(all.filter((id) => !dies(id))))
  expect(seen('active').filter(({ crashes }) => crashes > 0)).to.deep.equal([])
  for (const worker of workers) expect(worker.of('completed').length, 'jobs of each version').to.be.above(0)
  await Promise.all([...workers, ...producers].map((hand) => hand.kill()))
}

async function takeOver([first, second]: readonly Version[], adapter: string, url: string): Promise<void> {
  const task = { url, queue: `takeover-${randomBytes(4).toString('hex')}` }
  const producer = await Hand.start(second!, adapter, { ...task, role: 'producer' })
  const one = await Hand.start(first!, adapter, { ...task, role: 'worker' })
  await producer.add('hold', 1, { id: 'held' })
  await until('a start', () => one.of('active').length > 0)
  const other = await Hand.start(second!, adapter, { ...task, role: 'worker' })
  await one.kill()
  await until(`a start in ${second!.title}`, () => other.of('active').length > 0)
  expect(other.of('active')[0]).to.include({ id: 'held', attempt: 1, crashes: 1 })
  await Promise.all([other, producer].map((hand) => hand.kill()))
}

function sorted(ids: readonly string[]): string[] {
  return ids.toSorted()
}

async function until(what: string, isSo: () => boolean, state?: () => unknown): Promise<void> {
  const end = performance.now() + DEADLINE
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`${what} did not come within ${DEADLINE} ms: ${JSON.stringify(state?.())}`)
    await pause(10)
  }
}
