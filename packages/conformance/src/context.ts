import { randomBytes } from 'node:crypto'
import {
  Broker,
  type BrokerOptions,
  type Handlers,
  type JobView,
  type Queue,
  type QueueOptions,
  type Worker,
  type WorkerOptions,
} from '@jobport/core'
import type { Delivery, Driver, Features } from '@jobport/core/driver'
import { expect, until, ADDING, DEADLINE } from './assert.ts'
import { Child, type ChildTask } from './child.ts'
import { duplicatesOf } from './duplicates.ts'
import { violations, type Added } from './history.ts'
import { FaultProxy } from './proxy.ts'
import { Story } from './story.ts'
import { tidied, tidiedInTurn } from './tidied.ts'
import { difference, patiently, within } from './wait.ts'
import { wireOf } from './wire.ts'
import type { Breakable } from './breakable.ts'
import type { Harness } from './harness.ts'

/** An admin call ends by its deadline, ms. */
const DROPPING = 15_000
/** What still moves comes to rest within, ms. */
const SETTLING = 2_000

export type AnyJobs = Record<string, unknown>

/** What the suite keeps across cases. */
export interface Ledger {
  readonly queues: Set<string>
  readonly timings: { readonly lateness: number[]; readonly disorder: number[]; readonly redelivery: number[] }
  opened: number
  closed: number
}

/** One case's world: queues of its own, brokers, workers and processes; all of it is gone when the case ends. */
export class Context {
  readonly harness: Harness
  /** The broker itself, where the case may break it. */
  readonly breakable: Breakable | undefined
  readonly random: () => number
  readonly features: Features
  readonly story: Story = new Story()
  /** What the certificate is to say although the case passes: the part of it that could not be tested. */
  readonly untested: string[] = []
  readonly queue: Queue<AnyJobs>
  readonly main: Broker
  readonly #ledger: Ledger
  readonly #names = new Set<string>()
  readonly #brokers: Broker[] = []
  readonly #drivers: Driver[] = []
  readonly #children: Child[] = []
  readonly #proxies: FaultProxy[] = []
  /** Those that a driver must have come through. */
  readonly #ways: FaultProxy[] = []
  #closed: Promise<void> | undefined

  constructor(harness: Harness, random: () => number, ledger: Ledger, title: string, breakable?: Breakable) {
    this.harness = harness
    this.breakable = breakable
    this.random = random
    this.#ledger = ledger
    ledger.opened++
    const driver = harness.createDriver()
    this.features = driver.features
    this.main = this.broker({}, driver)
    this.queue = this.main.queue(this.name(title))
  }

  #own(name: string): string {
    this.#names.add(name)
    this.#ledger.queues.add(name)
    return name
  }

  /** A queue name that nobody else has. */
  readonly name = (stem: string): string => {
    return this.#own(`${stem.replaceAll(/[^\w.-]/g, '-')}-${randomBytes(5).toString('hex')}`)
  }

  /** Whether its broker is reached over a socket. */
  get wire(): boolean {
    const { remote } = this.harness
    return remote !== undefined && wireOf(remote.url) !== undefined
  }

  /** Another client of the same broker. */
  readonly broker = (options: BrokerOptions = {}, driver: Driver = this.harness.createDriver()): Broker => {
    const broker = new Broker(driver, { deadline: Math.ceil(patiently(ADDING)), ...options })
    broker.on('error', (error) => this.story.errors.push(error))
    this.#brokers.push(broker)
    return broker
  }

  /** A queue of its own, on the case's first broker. */
  readonly another = (stem: string, options?: QueueOptions): Queue<AnyJobs> => {
    return this.main.queue(this.name(stem), options)
  }

  /** A queue whose name is that of the case's first and a bit more. */
  readonly kin = (ending: string): Queue<AnyJobs> => {
    return this.main.queue(this.#own(this.queue.name + ending))
  }

  /** A worker whose events go into the story; consuming when this resolves. */
  readonly work = async (
    handlers: Handlers<AnyJobs>,
    options: WorkerOptions = {},
    { queue = this.queue.name, broker = this.main }: { readonly queue?: string; readonly broker?: Broker } = {},
  ): Promise<Worker<AnyJobs>> => {
    const worker = broker.worker<AnyJobs>(queue, handlers, options)
    this.story.follow(worker)
    await worker.ready()
    return worker
  }

  /** A connected driver, for cases below core. */
  readonly driver = async (): Promise<Driver> => {
    const driver = this.harness.createDriver()
    this.#drivers.push(driver)
    const listener = { down: () => {}, up: () => {}, error: (error: Error) => void this.story.errors.push(error) }
    await within(DEADLINE, 'connecting', driver.connect(listener))
    return driver
  }

  /** A driver that takes what `queue` delivers and leaves settling to the case. */
  readonly take = async (
    prefetch: number,
    queue: string = this.queue.name,
  ): Promise<{ driver: Driver; deliveries: Delivery[]; stop: () => Promise<void> }> => {
    const driver = await this.driver()
    const deliveries: Delivery[] = []
    const consuming = driver.consume(queue, (delivery) => void deliveries.push(delivery), { prefetch })
    const consumer = await within(DEADLINE, 'consuming', consuming)
    return { driver, deliveries, stop: () => consumer.stop() }
  }

  /** A program of the suite in a process of its own. */
  readonly child = async (
    task: Omit<ChildTask, 'module' | 'url' | 'queue'> & { readonly url?: string; readonly queue?: string },
  ): Promise<Child> => {
    const { remote } = this.harness
    if (!remote) throw new Error('this case needs a broker that other processes can reach')
    const child = new Child({ queue: this.queue.name, url: remote.url, ...task, module: remote.module.href })
    this.#children.push(child)
    await child.ready
    return child
  }

  /** A proxy in front of the broker, and the URL that goes through it. A driver must come that way, unless it is `unused`. */
  readonly proxy = async ({
    unused = false,
  }: {
    readonly unused?: boolean
  } = {}): Promise<{ proxy: FaultProxy; url: string }> => {
    const { remote } = this.harness
    const wire = remote && wireOf(remote.url)
    if (!wire) throw new Error('this case needs a broker behind a socket')
    const url = new URL(remote.url)
    const proxy = await FaultProxy.open(wire)
    this.#proxies.push(proxy)
    if (!unused) this.#ways.push(proxy)
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    return { proxy, url: url.href }
  }

  /** Waits until `count` jobs have completed. */
  readonly completed = async (count: number, deadline: number = DEADLINE): Promise<void> => {
    await until(
      () => this.story.of('completed').length >= count,
      `${count} completions`,
      () => this.story.tally(),
      deadline,
    )
  }

  /** Waits until `count` jobs are dead. */
  readonly died = async (count: number, deadline: number = DEADLINE): Promise<void> => {
    await until(
      () => this.story.of('dead').length >= count,
      `${count} deaths`,
      () => this.story.tally(),
      deadline,
    )
  }

  /** Waits until the queue's counts are as given; what is not given may be anything. */
  readonly counted = async (
    wanted: Partial<Record<'waiting' | 'delayed' | 'active' | 'dead', number>>,
    queue: Queue<AnyJobs> = this.queue,
    deadline: number = DEADLINE,
  ): Promise<void> => {
    let counts = await queue.counts()
    const right = async (): Promise<boolean> => {
      counts = await queue.counts()
      return Object.entries(wanted).every(([state, count]) => counts[state as 'waiting'] === count)
    }
    await until(right, `counts ${JSON.stringify(wanted)}`, () => counts, deadline)
  }

  /** Every expected id happened once, no other did. */
  readonly exactly = (expected: readonly string[], seen: readonly string[], what: string): void => {
    expect(difference(expected, seen), what).to.deep.equal({ missing: [], extra: [], repeated: [] })
  }

  /** accepted = completed + dead + removed + live, by distinct uid, once nothing moves: until then, counts may miss what does. */
  readonly conserved = async (accepted: readonly string[], removed: number = 0): Promise<void> => {
    const wanted = new Set(accepted).size
    let [completed, dead, sum] = [new Set<string>(), new Set<string>(), {}]
    const isRight = async (): Promise<boolean> => {
      completed = new Set(this.story.of('completed').map(({ uid }) => uid))
      dead = new Set((await this.deadLetters()).map(({ uid }) => uid))
      const { waiting, delayed, active } = await this.queue.counts()
      sum = { completed: completed.size, dead: dead.size, removed, live: waiting + delayed + active }
      return completed.size + dead.size + removed + waiting + delayed + active === wanted
    }
    await until(isRight, `${wanted} accepted = completed + dead + removed + live`, () => sum, SETTLING)
    const both = [...completed].filter((uid) => dead.has(uid))
    expect(both, 'completed and dead').to.deep.equal([])
  }

  /** At a quiet moment: what became of the accepted jobs breaks none of the invariants. */
  readonly sound = async (accepted: readonly Added[]): Promise<void> => {
    const { waiting, delayed, active } = await this.queue.counts()
    const dead = (await this.deadLetters()).map(({ uid }) => uid)
    const found = violations({ events: [...accepted, ...this.story.history()], live: waiting + delayed + active, dead })
    expect(found, found.map(({ rule, uid, detail }) => `${rule}: ${uid} ${detail}`).join('; ')).to.deep.equal([])
  }

  /** All of them, newest first. */
  readonly deadLetters = async (): Promise<JobView[]> => {
    const all: JobView[] = []
    let cursor: string | undefined
    do {
      const page = await this.queue.deadLetters.list({ limit: 100, ...(cursor !== undefined && { cursor }) })
      all.push(...page.jobs)
      cursor = page.cursor
    } while (cursor !== undefined)
    return all
  }

  /** Records how late a delayed job started, ms; negative is early. */
  readonly late = (ms: number): void => {
    this.#ledger.timings.lateness.push(ms)
  }

  /** Records by how much of its due time a delayed job was overtaken, ms; 0 if by none. */
  readonly overtaken = (ms: number): void => {
    this.#ledger.timings.disorder.push(ms)
  }

  /** Records how long after the loss of its worker a job ran again, ms. */
  readonly redelivered = (ms: number): void => {
    this.#ledger.timings.redelivery.push(ms)
  }

  /** Whatever was to happen to a connection happened to one: a driver that ignores the URL it is given would notice no fault. */
  readonly travelled = (): void => {
    for (const { joined } of this.#ways)
      expect(joined, "connections through the case's proxy: createDriver(url) must use its URL").to.be.at.least(1)
  }

  /** Runs of an attempt that had been run before, as far as was told. */
  get duplicates(): number {
    return duplicatesOf([{ reports: this.story.reports() }, ...this.#children]).length
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Each step is tried, whatever became of those before it, and has its deadline. */
  async #close(): Promise<void> {
    const brokers = this.#brokers.filter((broker) => broker !== this.main)
    const failures = [
      ...(await tidied(this.#children.map((child) => child.discard()))),
      ...(await tidied(brokers.map((broker) => broker.close({ timeout: 100 })))),
      ...(await tidied(this.#drivers.map((driver) => driver.close()))),
      ...(await tidied(this.#proxies.map((proxy) => proxy.close()))),
      ...(await tidied([this.main.close({ timeout: 100 })])),
      ...(await this.#clean()),
    ]
    if (failures.length > 0) throw failures[0]
    this.#ledger.closed++
  }

  async #clean(): Promise<readonly unknown[]> {
    const cleaner = this.broker()
    const failures = await tidiedInTurn([...this.#names], (name) => cleaner.queue(name).drop(), DROPPING)
    return [...failures, ...(await tidied([cleaner.close({ timeout: 100 })]))]
  }
}
