import type { AddOptions, JobportError, NewJob, Queue, Receipt } from '@jobport/core'
import type { Features } from '@jobport/core/driver'
import { patiently } from '../wait.ts'
import { differ, differences, show } from './difference.ts'
import { QueueModel } from './queue-model.ts'
import { BRIEF } from './run.ts'
import { Subject } from './subject.ts'
import { Views } from './views.ts'
import type { Connections } from './connections.ts'
import type { Draft, Step } from './step.ts'
import type { Time } from './time.ts'

/** Longest wait for what a broker owes, ms. */
const DEADLINE = 20_000
/** A step begins when no job falls due within it, ms of real time. */
const MARGIN = 60
/** How long a job that fell due may be shown as delayed on a machine that is busy, ms. */
const GRACE = 5_000

/** A job may be moved between two calls; so long until they must agree, ms. */
const MOVING = 1_000

/** The names of a history's two queues. */
export type Names = readonly [string, string]

/** Core on the driver, and the model beside it, through the same steps. */
export class History {
  readonly #subject: Subject
  readonly #time: Time
  readonly #views: readonly Views[]
  #jobs = 0

  constructor(connections: Connections, features: Features, names: Names, time: Time) {
    const models = names.map((name) => new QueueModel(name, { features, lateness: time.lateness }))
    this.#subject = new Subject(connections, models, time)
    this.#views = models.map((model) => new Views(model, time.tolerance))
    this.#time = time
  }

  get story(): readonly string[] {
    return this.#subject.story
  }

  /** Throws a {@link Difference}. */
  async play(steps: readonly Step[]): Promise<void> {
    await this.#subject.open()
    await this.#rest()
    for (const [i, step] of steps.entries()) {
      this.#subject.story.push(`${i + 1}. ${show(step)}`)
      await this.#do(step)
      await this.#look(step)
    }
    await this.#drain()
  }

  /** Leaves nothing in the broker. `isSound`: others may go on with its connections. */
  async close(isSound: boolean): Promise<void> {
    await this.#subject.close(isSound)
  }

  async #do(step: Step): Promise<void> {
    const subject = this.#subject
    switch (step.do) {
      case 'pass':
        return this.#time.pass(step.ms)
      case 'stop':
        return subject.stop(step.worker)
      case 'disconnect':
        return subject.disconnect(step.via)
      case 'end':
        return subject.end(step.run, step.end)
      case 'lose':
        return subject.lose(step.run)
      default:
        return this.#tend(step)
    }
  }

  async #tend(step: Extract<Step, { readonly queue: number }>): Promise<void> {
    const subject = this.#subject
    const model = subject.models[step.queue]!
    const queue = subject.queue(model, step.via)
    switch (step.do) {
      case 'add':
        return this.#added([await queue.add(...this.#argumentsOf(step.jobs[0]))])
      case 'addMany':
        return this.#added(await queue.addMany(step.jobs.map((draft) => this.#newJob(draft))))
      case 'work':
        return subject.work(model, step.via, step.concurrency)
      case 'drop':
        await subject.drop(model, step.via)
        return this.#revived(model, step.via)
      case 'pause':
      case 'resume':
        return queue[step.do]()
      case 'purge':
        return this.#purge(model, queue)
      case 'clear':
        return answered(model.letters.length, await queue.deadLetters.purge(), 'deadLetters.purge')
      case 'redriveAll':
        return this.#redriveAll(queue)
      case 'remove':
      case 'bury':
      case 'redrive':
        return this.#name(step, model, queue)
    }
  }

  /** Waits until the workers of a queue that was dropped consume again. */
  async #revived(model: QueueModel, via: number): Promise<void> {
    const end = performance.now() + patiently(DEADLINE)
    const admin = this.#subject.admin(model, via)
    const workers = Math.min(model.workers.size, 1)
    for (let status = await admin.status(); status.workers !== workers; status = await admin.status()) {
      if (performance.now() > end) differ(`${model.name} was dropped, and has ${status.workers} workers since, not ${workers}`)
      await this.#time.turn()
    }
  }

  /** Whether a lost job waits already is the broker's. */
  async #purge(model: QueueModel, queue: Queue): Promise<void> {
    const [fewest, most] = [model.removable.length, model.removable.length + model.lost.length]
    const count = await queue.purge()
    answered(count < fewest ? fewest : Math.min(count, most), count, 'purge')
  }

  /** What means one job by its id. */
  async #name(step: Extract<Step, { readonly id: number }>, model: QueueModel, queue: Queue): Promise<void> {
    const id = this.#idFor(model, step.id)
    if (id === undefined) return
    const isRemovable = model.removable.some(({ message }) => message.id === id)
    if (step.do === 'remove') {
      const isLost = model.live.get(id)?.lost === true
      const isRemoved = await queue.remove(id)
      return answered(isLost ? isRemoved : isRemovable, isRemoved, 'remove')
    }
    const hadLetter = model.letter(id) !== undefined
    if (step.do === 'bury') return answered(hadLetter, await queue.deadLetters.remove(id), 'deadLetters.remove')
    await this.#redrive(model, queue, id, step.attempts)
  }

  /** One that is redriven may be dead again by the end: what counts is what the driver answered. */
  async #redriveAll({ deadLetters }: Queue): Promise<void> {
    const { redrives } = this.#subject
    redrives.length = 0
    const answer = await deadLetters.redriveAll()
    const count = (which: string): number => redrives.filter((each) => each === which).length
    answered({ redriven: count('redriven'), skipped: count('duplicate') }, answer, 'redriveAll')
  }

  async #redrive(model: QueueModel, { deadLetters }: Queue, id: string, attempts: number | undefined): Promise<void> {
    const hadLetter = model.letter(id) !== undefined
    try {
      const receipt = await deadLetters.redrive(id, attempts === undefined ? {} : { attempts })
      answered({ id, added: true, uid: model.live.get(id)?.message.uid ?? receipt.uid }, receipt, 'redrive')
    } catch (error) {
      if ((error as JobportError).code !== (hadLetter ? 'DUPLICATE' : 'NOT_FOUND')) throw error
    }
  }

  /** One of those that the queue has seen, if the adapter can name it. */
  #idFor(model: QueueModel, nth: number): string | undefined {
    const { cancel } = model.features
    const named = [...this.#subject.ids.get(model)!].filter((id) => cancel === 'all' || isGivenId(id))
    return named[nth % named.length]
  }

  /** What core answers is what the driver answered. */
  #added(receipts: readonly Receipt[]): void {
    const answers = this.#subject.answers.splice(0)
    const expected = answers.map(({ message: { id, uid }, result }) => {
      if (result.status === 'added') return { id, added: true, uid }
      return { id, added: false, ...(result.status === 'duplicate' && result.uid !== undefined && { uid: result.uid }) }
    })
    answered(expected, receipts, 'the receipts')
  }

  #argumentsOf(draft: Draft): [string, unknown, AddOptions] {
    const { name, ttl, ...options } = draft
    const data = { n: ++this.#jobs }
    return [name, data, { ...options, ...(ttl !== undefined && { dedup: { ttl } }), ...(name === 'brief' && { timeout: BRIEF }) }]
  }

  #newJob(draft: Draft): NewJob {
    const [name, data, options] = this.#argumentsOf(draft)
    return { name, data, options }
  }

  /** Waits until nothing moves, and compares everything then; of a queue that the step has left alone, the counts. */
  async #look(step?: Step): Promise<void> {
    let end: number | undefined
    for (;;) {
      await this.#rest()
      const { length } = this.story
      try {
        await Promise.all(this.#subject.models.map((model, i) => this.#lookAt(model, i, step)))
        return
      } catch (error) {
        end ??= performance.now() + patiently(MOVING)
        const mayMove =
          performance.now() < end && this.#time.lateness > 0 && this.#subject.models.some(({ hasMoved }) => hasMoved)
        if (this.#pending() === undefined && this.story.length === length && !this.#isBarelyDue && !mayMove) throw error
        await this.#time.turn()
      }
    }
  }

  #lookAt(model: QueueModel, i: number, step: Step | undefined): Promise<void> {
    const views = this.#views[i]!
    const admin = this.#subject.admin(model, i)
    if (!step) return views.look(admin, [...this.#subject.ids.get(model)!])
    const isMeant = 'queue' in step && step.queue === i
    return isMeant || views.isStale ? views.look(admin) : views.glance(admin)
  }

  /** Whether a job fell due so recently that a busy machine may not have noticed. */
  get #isBarelyDue(): boolean {
    const since = this.#time.now() - patiently(GRACE)
    return this.#time.lateness > 0 && this.#subject.models.some((model) => model.lastDue > since)
  }

  /** Resolves when nothing moves. */
  async #rest(): Promise<void> {
    const end = performance.now() + patiently(DEADLINE)
    for (let pending = this.#pending(); pending !== undefined; pending = this.#pending()) {
      if (performance.now() > end) differ(`in vain: ${pending}`)
      await this.#time.turn()
    }
    for (const model of this.#subject.models) model.rested()
  }

  /** What is still under way, if anything. */
  #pending(): string | undefined {
    const { models, runs, heard } = this.#subject
    this.#subject.check()
    const now = this.#time.now()
    const margin = this.#time.lateness > 0 ? MARGIN : 0
    for (const model of models) {
      model.passed(now)
      if (model.unsettled > 0) return `${model.unsettled} ends are to be confirmed in ${model.name}`
      if (model.free > 0 && model.lost.length > 0) return `${model.lost.length} lost jobs are to run again in ${model.name}`
      if (model.owed > 0) return `${model.owed} jobs wait in ${model.name} for workers that are free`
      if (model.nextDue && model.nextDue.from <= now + margin) return `a job is due in ${model.name}`
    }
    const moving = runs.find(({ end, ending }) => !end || ending)
    if (moving) return `${moving.job.message.id} (${moving.job.message.name}) is on its way through its worker`
    const told = heard.difference()
    return told && `of ${told.uid} was told: ${told.heard.join(', ')}; expected: ${told.expected.join(', ')}`
  }

  /** In the end all that waits runs, and completes. */
  async #drain(): Promise<void> {
    const subject = this.#subject
    subject.story.push('in the end, all that waits is worked')
    for (const model of subject.models) {
      const queue = subject.queue(model, 0)
      if (model.features.pause) await queue.resume()
      if (model.workers.size === 0) await subject.work(model, 0, 5)
      await this.#rest()
    }
    while (subject.running.length > 0) {
      subject.end(0, { how: 'return' })
      await this.#rest()
    }
    await this.#look()
  }
}

function answered(expected: unknown, answer: unknown, what: string): void {
  const found = differences(expected, answer)
  if (found.length > 0) differ(`the answer of ${what}: ${found.join('; ')}`)
}

/** Those that steps give are letters. */
function isGivenId(id: string): boolean {
  return id.length === 1
}
