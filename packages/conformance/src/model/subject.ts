import { Broker, RetryError, UnrecoverableError, type Handler, type Job, type Queue } from '@jobport/core'
import type { Delivery, Message, Outcome, PublishResult, QueueAdmin } from '@jobport/core/driver'
import { settling, tamper } from '../tamper.ts'
import { checkDecision, MESSAGE, resultOf } from './decision.ts'
import { CRASH_LIMIT, eventsOf, fateOf, told, type Run } from './run.ts'
import { Difference, differ } from './difference.ts'
import { Heard } from './heard.ts'
import type { Connections } from './connections.ts'
import { toldAdmin, type Told } from './told-admin.ts'
import type { Moment } from './moment.ts'
import type { Link } from './link.ts'
import type { QueueModel } from './queue-model.ts'
import type { End } from './step.ts'
import type { Time } from './time.ts'

/** Core on the driver, with the model told of all that passes between the two. */
export class Subject {
  readonly models: readonly QueueModel[]
  readonly runs: Run[] = []
  readonly heard: Heard = new Heard()
  readonly story: string[] = []
  /** What the driver answered to each add, in order. */
  readonly answers: { readonly message: Message; readonly result: PublishResult }[] = []
  /** What it answered to each redrive. */
  readonly redrives: string[] = []
  /** Every id that a queue has seen. */
  readonly ids: Map<QueueModel, Set<string>>
  readonly #connections: Connections
  readonly #time: Time
  readonly #links: Link[] = []
  #failure: Difference | undefined
  #workers = 0

  constructor(connections: Connections, models: readonly QueueModel[], time: Time) {
    this.#connections = connections
    this.models = models
    this.#time = time
    this.ids = new Map(models.map((model) => [model, new Set<string>()]))
  }

  get #told(): Told {
    return { now: () => this.#time.now(), watch: (look) => this.#watch(look), redrives: this.redrives }
  }

  /** Opens its two connections. */
  async open(): Promise<void> {
    this.#links.push(await this.#open(), await this.#open())
  }

  queue(model: QueueModel, via: number): Queue {
    return this.#links[via]!.broker.queue(model.name)
  }

  admin(model: QueueModel, via: number): QueueAdmin {
    return this.#links[via]!.driver.admin(model.name)
  }

  /** Throws what went wrong while nobody waited for it. */
  check(): void {
    if (this.#failure) throw this.#failure
  }

  /** Starts a worker, unless that connection has one for the queue. */
  async work(model: QueueModel, via: number, concurrency: number): Promise<void> {
    const link = this.#links[via]!
    if (link.workers.has(model)) return
    const id = ++this.#workers
    const handler: Handler = (job, signal) => this.#handle(job, signal)
    const worker = link.broker.worker(model.name, { job: handler, brief: handler }, { concurrency, crashLimit: CRASH_LIMIT })
    link.workers.set(model, { id, worker })
    model.workers.set(id, concurrency)
    this.heard.follow(worker, id)
    await worker.ready()
  }

  /** Stops the nth of the workers there are: what it runs is released. */
  async stop(nth: number): Promise<void> {
    const all = this.#links.flatMap(({ workers }) => [...workers].map(([model, each]) => ({ workers, model, ...each })))
    const found = all[nth % all.length]
    if (!found) return
    const { model, worker, workers, id } = found
    for (const run of this.runs) if (run.job.worker === id) run.ending = { how: 'stop' }
    await worker.stop({ timeout: 0 })
    workers.delete(model)
    if (model.held(id) > 0) differ(`worker ${id} has stopped, and ${model.held(id)} of its jobs were not given back`)
    model.workerWent(id)
  }

  /** Closes the driver under its workers, which hands all back, and opens another. */
  async disconnect(via: number): Promise<void> {
    const link = this.#links[via]!
    link.isClosing = true
    for (const [model, { id }] of link.workers) {
      model.workerGoing(id)
      for (const run of this.runs) if (run.job.worker === id) run.over = 'gone'
    }
    await link.driver.close()
    for (const [model, { id }] of link.workers) model.workerWent(id)
    await link.broker.close({ timeout: 0 })
    this.#drop((run) => run.over === 'gone')
    this.#links[via] = await this.#open()
  }

  end(nth: number, end: End): void {
    const run = this.#running(nth)
    if (!run) return
    run.ending = end
    const { resolve, reject } = run.end!
    if (end.how === 'return') return resolve(resultOf(run.job))
    if (end.how === 'give up') return reject(new UnrecoverableError(MESSAGE))
    if (end.how === 'throw') return reject(new Error(MESSAGE))
    const { delay, countAttempt } = end
    reject(new RetryError(MESSAGE, { delay, countAttempt }))
  }

  /** Its worker gives it up, as when it is lost, and finds out. */
  lose(nth: number): void {
    const run = this.#running(nth)
    if (!run) return
    run.over = 'lost'
    this.story.push(`    ${run.job.message.id} is given up`)
    run.model.abandoned(run.job)
    run.delivery.abandon()
    this.#drop((each) => each === run)
    run.end!.reject(new Error('its worker was lost'))
  }

  /** All that belongs to the queue goes, what runs included. */
  async drop(model: QueueModel, via: number): Promise<void> {
    const forget = (): void => {
      for (const run of this.runs) if (run.model === model) run.over = 'gone'
      for (const { message } of model.live.values()) this.heard.forget(message.uid)
    }
    forget()
    await this.queue(model, via).drop()
    // what fell due meanwhile
    forget()
    model.dropped()
    this.#drop((run) => run.over === 'gone')
  }

  /** Leaves nothing in the broker. `isSound`: others may go on with its connections. */
  async close(isSound: boolean): Promise<void> {
    for (const run of this.runs.splice(0)) {
      run.over = 'gone'
      run.end?.reject(new Error('the history is over'))
    }
    const workers = this.#links.flatMap((link) => [...link.workers.values()])
    await Promise.all(workers.map(({ worker }) => worker.stop({ timeout: 0 })))
    try {
      const [link] = this.#links
      if (link) await Promise.all(this.models.map(({ name }) => link.driver.admin(name).drop()))
    } finally {
      await Promise.all(this.#links.map(({ broker }) => broker.close({ timeout: 0 })))
      for (const { driver } of isSound ? this.#links : []) this.#connections.giveBack(driver)
      if (!isSound) await Promise.all(this.#links.map(({ driver }) => driver.close()))
    }
  }

  /** Those that go on until a step ends them. */
  get running(): readonly Run[] {
    return this.runs.filter(({ end, over, ending }) => end && !over && !ending)
  }

  #running(nth: number): Run | undefined {
    return this.running[nth % this.running.length]
  }

  #drop(isGone: (run: Run) => boolean): void {
    for (const run of this.runs.filter(isGone)) {
      this.runs.splice(this.runs.indexOf(run), 1)
      if (run.over === 'gone') run.end?.reject(new Error('it is gone'))
    }
  }

  async #open(): Promise<Link> {
    const link: Link = { driver: this.#connections.take(), broker: undefined as never, workers: new Map(), isClosing: false }
    const told = tamper(link.driver, {
      publish: (honest, queue, messages, options) =>
        this.#publish(this.#modelOf(queue), messages, () => honest(queue, messages, options)),
      deliver: (receive, delivery, queue) => this.#deliver(link, this.#modelOf(queue), delivery, receive),
      admin: (honest, queue) => toldAdmin(this.#modelOf(queue), honest, this.#told),
      // the next history goes on with it
      close: () => Promise.resolve(),
    })
    const broker = new Broker(told)
    broker.on('error', () => {})
    await broker.connect()
    return Object.assign(link, { broker })
  }

  #modelOf(queue: string): QueueModel {
    return this.models.find(({ name }) => name === queue) ?? differ(`a queue '${queue}' turned up`)
  }

  async #publish(
    model: QueueModel,
    messages: readonly Message[],
    publish: () => Promise<PublishResult[]>,
  ): Promise<PublishResult[]> {
    const from = this.#time.now()
    const together = Symbol('addMany')
    for (const message of messages) {
      this.ids.get(model)!.add(message.id)
      model.adding(message, from, together)
    }
    const results = await publish()
    const at = { from, to: this.#time.now() }
    for (const [i, message] of messages.entries()) {
      const result = results[i]!
      this.answers.push({ message, result })
      this.#watch(() => model.added(message, result, at, { together }))
    }
    return results
  }

  #deliver(link: Link, model: QueueModel, delivery: Delivery, receive: (delivery: Delivery) => void): void {
    const now = this.#here()
    const { message } = delivery
    const run = this.#watch((): Run => {
      const worker = link.workers.get(model) ?? differ(`${message.id} was delivered to a worker that has stopped`)
      const { stalled } = delivery
      const job = model.delivered(delivery, worker.id, now)
      this.story.push(`    ${message.id} goes to worker ${worker.id}, attempt ${job.attempt}, crashes ${job.crashes}`)
      const fate = fateOf(job)
      const runs = fate === undefined || fate.how === 'time out'
      this.heard.expect(message.uid, worker.id, ...(stalled ? ['stalled'] : []), ...(runs ? ['active'] : []))
      return { job, model, delivery, worker: worker.id, ...(fate && { ending: fate }) }
    })
    if (!run) return receive(delivery)
    this.runs.push(run)
    receive(settling(delivery, (outcome) => this.#settle(link, run, outcome)))
  }

  async #settle(link: Link, run: Run, outcome: Outcome): Promise<void> {
    const { job, model, delivery } = run
    if (run.over) {
      await delivery.settle(outcome)
      if (run.over === 'lost') this.#watch(() => differ(`${job.message.id} was given up, and its late end was taken`))
      return
    }
    const from = this.#time.now()
    this.#watch(() => {
      checkDecision(job, run.ending ?? differ(`${job.message.id} was settled (${outcome.type}) while it runs`), outcome)
      this.story.push(`    ${job.message.id}: ${told(outcome)}`)
      model.settling(job, outcome, from)
      this.heard.expect(job.message.uid, run.worker, ...eventsOf(run, outcome))
    })
    try {
      await delivery.settle(outcome)
    } catch (error) {
      if (!link.isClosing && !run.over) this.#watch(() => differ(`${job.message.id} could not be settled: ${String(error)}`))
      throw error
    } finally {
      this.#drop((each) => each === run)
    }
    model.settled(job, { to: this.#time.now() })
  }

  #handle(job: Job, signal: AbortSignal): Promise<unknown> {
    const run = this.runs.findLast(({ job: { message }, over, end }) => message.uid === job.uid && !over && !end)
    if (!run) return Promise.reject(new Error('nobody follows this run'))
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      run.end = { resolve, reject }
    })
  }

  #here(): Moment {
    const now = this.#time.now()
    return { from: now, to: now }
  }

  /** What goes wrong here is nobody's to catch: it is kept for who waits next. */
  #watch<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (error) {
      if (!(error instanceof Difference)) throw error
      this.#failure ??= error
      return undefined
    }
  }
}
