import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { Broker, defineJob, JobportError, type Handlers, type Worker, type WorkerOptions } from '@jobport/core'
import { ENVELOPE_VERSION, Lease, type Consumer, type Outcome } from '@jobport/core/driver'
import { ScriptedDriver } from './scripted-driver.ts'

type AnyJobs = Record<string, unknown>

describe('worker, on scripted deliveries', () => {
  let driver: ScriptedDriver
  let broker: Broker
  let errors: Error[]

  const work = async (handlers: Handlers<AnyJobs>, options?: WorkerOptions): Promise<Worker<AnyJobs>> => {
    const worker = broker.worker('q', handlers, options)
    worker.on('error', (error) => errors.push(error))
    await worker.ready()
    return worker
  }

  beforeEach(() => {
    driver = new ScriptedDriver()
    broker = new Broker(driver)
    errors = []
  })

  afterEach(async () => {
    await broker.close({ timeout: 100 })
  })

  it('makes a job dead when it has cost more workers than allowed, without running it', async () => {
    const ran: string[] = []
    const dead: string[] = []
    const worker = await work((job) => void ran.push(job.uid), { crashLimit: 2 })
    worker.on('dead', (job, _error, reason) => dead.push(`${job.uid} ${reason}`))
    driver.deliver('over', { crashes: 3 })
    expect(await driver.outcomeOf('over')).to.deep.include({ type: 'dead', reason: 'crashes' })
    driver.deliver('at', { crashes: 2 })
    expect(await driver.outcomeOf('at')).to.deep.include({ type: 'complete' })
    expect(ran).to.deep.equal(['at'])
    expect(dead).to.deep.equal(['over crashes'])
  })

  it('runs a job that was in flight at two crashes alone: what has not started goes back, what runs is waited for', async () => {
    const running = new Set<string>()
    const seen: string[][] = []
    const release = Promise.withResolvers<void>()
    await work(
      async (job) => {
        running.add(job.uid)
        seen.push([...running])
        if (job.uid === 'first') await release.promise
        await turn()
        running.delete(job.uid)
      },
      { concurrency: 10 },
    )
    driver.deliver('first')
    await turn()
    driver.deliver('suspect', { crashes: 2 })
    driver.deliver('innocent', { crashes: 0 })
    driver.deliver('another suspect', { crashes: 3 })
    expect(await driver.outcomeOf('innocent')).to.deep.equal({ type: 'release' })
    expect(await driver.outcomeOf('another suspect')).to.deep.equal({ type: 'release' })
    expect(driver.consuming).to.equal(false)
    expect(seen).to.deep.equal([['first']])
    release.resolve()
    expect(await driver.outcomeOf('suspect')).to.include({ type: 'complete' })
    expect(seen).to.deep.equal([['first'], ['suspect']])
    await turn()
    expect(driver.consuming, 'consumes again').to.equal(true)
    expect(driver.consumed).to.equal(2)
  })

  it('tells of a failure before the retry that comes first, and lets no retry wait longer than a second', async () => {
    const heard: string[] = []
    const worker = await work(
      async ({ attempt }) => {
        if (attempt < 3) throw new Error(`failed ${attempt}`)
      },
      { concurrency: 3 },
    )
    worker.on('active', ({ attempt }) => heard.push(`active ${attempt}`))
    worker.on('failed', (_job, { message }) => heard.push(message))
    const confirmed = Promise.withResolvers<void>()
    driver.deliver('job', { attempt: 1, settle: () => confirmed.promise }, { attempts: 3 })
    await turn()
    driver.deliver('job', { attempt: 2, settle: () => new Promise(() => {}) }, { attempts: 3 })
    await turn()
    confirmed.resolve()
    await turn()
    expect(heard).to.deep.equal(['active 1', 'failed 1', 'active 2'])
    const last = Promise.withResolvers<Outcome>()
    const since = performance.now()
    driver.deliver('job', { attempt: 3, settle: async (outcome) => last.resolve(outcome) }, { attempts: 3 })
    expect(await last.promise).to.include({ type: 'complete' })
    expect(performance.now() - since).to.be.within(900, 5_000)
  })

  it('gives a waiting suspect back when it stops', async () => {
    const worker = await work(
      async (job) => {
        if (job.uid === 'slow') await new Promise(() => {})
      },
      { concurrency: 2 },
    )
    driver.deliver('slow')
    await turn()
    driver.deliver('suspect', { crashes: 2 })
    await worker.stop({ timeout: 20 })
    expect(await driver.outcomeOf('slow')).to.deep.equal({ type: 'release' })
    expect(await driver.outcomeOf('suspect')).to.deep.equal({ type: 'release' })
  })

  it('gives back what it stops once nothing more is fetched, also when it does not wait', async () => {
    const halted = Promise.withResolvers<void>()
    const consume = driver.consume.bind(driver)
    driver.consume = async (...args): Promise<Consumer> => Object.assign(await consume(...args), { stop: () => halted.promise })
    const worker = await work((_job, signal) => new Promise((_, reject) => signal.addEventListener('abort', reject)))
    driver.deliver('job')
    await turn()
    const stopped = worker.stop({ timeout: 0 })
    for (let i = 0; i < 10; i++) await turn()
    expect(driver.settled).to.deep.equal([])
    halted.resolve()
    expect(await driver.outcomeOf('job')).to.deep.equal({ type: 'release' })
    await stopped
  })

  it('hands back a job of a newer version and says so', async () => {
    const worker = await work(() => {
      throw new Error('must not run')
    })
    driver.deliver('newer', {}, { version: ENVELOPE_VERSION + 1 })
    await worker.stop()
    expect(await driver.outcomeOf('newer')).to.deep.equal({ type: 'release' })
    expect(errors.map((error) => error.message).join()).to.include(`version ${ENVELOPE_VERSION + 1}`)
  })

  it('makes an undecodable job dead, reason invalid, and one without a handler, reason unknown', async () => {
    await work({ known: () => 1 })
    driver.deliver('garbled', { invalid: { name: 'JobportError', message: 'not JSON' } })
    driver.deliver('stranger')
    expect(await driver.outcomeOf('garbled')).to.deep.include({ type: 'dead', reason: 'invalid' })
    expect(await driver.outcomeOf('stranger')).to.deep.include({ type: 'dead', reason: 'unknown' })
  })

  it('counts a validator that throws as a failed run, and one that never ends as a run that can be stopped', async () => {
    const schema = (validate: () => Promise<never>) => ({ '~standard': { version: 1 as const, vendor: 'test', validate } })
    const throwing = defineJob({ name: 'throwing', schema: schema(() => Promise.reject(new Error('no database'))) })
    const hanging = defineJob({ name: 'hanging', schema: schema(() => new Promise(() => {})) })
    const refusing = defineJob({
      name: 'refusing',
      schema: { '~standard': { version: 1 as const, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) } },
    })
    const heard: string[] = []
    const worker = broker.worker(
      'q',
      [throwing, hanging, refusing].map((definition) => definition.handler(() => 1)),
      { concurrency: 3 },
    )
    worker.on('failed', ({ uid }) => heard.push(`failed ${uid}`))
    worker.on('dead', ({ uid }, _error, reason) => heard.push(`dead ${uid} ${reason}`))
    await worker.ready()
    driver.deliver('t', {}, { name: 'throwing', attempts: 2 })
    driver.deliver('h', {}, { name: 'hanging' })
    driver.deliver('r', {}, { name: 'refusing' })
    expect(await driver.outcomeOf('t')).to.include({ type: 'again', attempt: 2 })
    expect(await driver.outcomeOf('r')).to.include({ type: 'dead', reason: 'invalid' })
    await worker.stop({ timeout: 10 })
    expect(await driver.outcomeOf('h')).to.deep.equal({ type: 'release' })
    expect(heard.toSorted()).to.deep.equal(['dead r invalid', 'failed t'])
  })

  it('aborts the handler when the lease is lost, settles nothing, and says so', async () => {
    const aborted = Promise.withResolvers<unknown>()
    const lease = new Lease()
    await work((_job, signal) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve(signal.reason))))
    driver.deliver('taken', { lease })
    await turn()
    lease.lose()
    expect(await aborted.promise).to.have.property('code', 'LEASE_LOST')
    await turn()
    expect(driver.settled).to.deep.equal([])
    expect(errors).to.have.length(1)
    expect(errors[0]).to.include({ code: 'LEASE_LOST', id: 'taken' })
  })

  it('tells of a stalled job once, and of no end that the broker does not take', async () => {
    const heard: string[] = []
    const worker = await work(() => 1)
    worker.on('stalled', (job) => heard.push(`stalled ${job.uid}`))
    worker.on('completed', (job) => heard.push(`completed ${job.uid}`))
    driver.deliver('again', { crashes: 1, stalled: true })
    await driver.outcomeOf('again')
    driver.deliver('refused', { settle: async () => Promise.reject(new Error('refused')) })
    for (let i = 0; i < 5; i++) await turn()
    expect(heard).to.deep.equal(['stalled again', 'completed again'])
    expect(errors[0]).to.include({ code: 'REJECTED', id: 'refused' })
  })

  it('shows a slot that is stuck, and abandons its job when it stops', async () => {
    driver.admin = () => ({ status: async () => ({ paused: false, workers: 1 }) }) as never
    const worker = await work(() => 1)
    const refuse = async (): Promise<never> => {
      throw new JobportError('REJECTED', 'no room')
    }
    driver.deliver('refused', { settle: refuse })
    for (let i = 0; i < 5; i++) await turn()
    expect(worker).to.include({ running: 1, stuck: 1 })
    expect(await broker.health()).to.deep.include({
      ok: false,
      workers: [{ queue: 'q', consuming: true, running: 1, stuck: 1 }],
    })
    await worker.stop({ timeout: 10 })
    expect(driver.abandoned).to.deep.equal(['refused'])
    expect(worker).to.include({ running: 0, stuck: 0 })
    expect(errors.at(-1)!.message).to.include('given up')
  })

  it('abandons a delivery that nobody settled', async () => {
    await work(() => 1)
    driver.deliver('strange', {}, { addedAt: Symbol('no time') as never })
    driver.deliver('good')
    await driver.outcomeOf('good')
    expect(driver.abandoned).to.deep.equal(['strange'])
  })

  it('shows a slot whose settlement has no answer, until it has', async () => {
    driver.admin = () => ({ status: async () => ({ paused: false, workers: 1 }) }) as never
    const worker = await work(() => 1)
    const answer = Promise.withResolvers<void>()
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      driver.deliver('silent', { settle: () => answer.promise })
      for (let i = 0; i < 5; i++) await turn()
      expect(worker).to.include({ running: 1, stuck: 0 })
      mock.timers.tick(60_000)
    } finally {
      mock.timers.reset()
    }
    expect(worker).to.include({ running: 1, stuck: 1 })
    expect(await broker.health()).to.have.property('ok', false)
    expect(errors.at(-1)).to.include({ code: 'TIMEOUT', id: 'silent' })
    answer.resolve()
    for (let i = 0; i < 5; i++) await turn()
    expect(worker).to.include({ running: 0, stuck: 0 })
    expect(await broker.health()).to.have.property('ok', true)
  })

  it('tries again when subscribing hangs, and stops what comes too late', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const late = Promise.withResolvers<Consumer>()
      const consume = driver.consume.bind(driver)
      driver.consume = () => {
        driver.consume = consume
        return late.promise
      }
      const worker = broker.worker('q', () => 1)
      worker.on('error', (error) => errors.push(error))
      for (let ms = 0; ms < 12_000; ms += 250) {
        for (let i = 0; i < 3; i++) await turn()
        mock.timers.tick(250)
      }
      await worker.ready()
      expect(errors[0]).to.have.property('code', 'TIMEOUT')
      let stopped = 0
      late.resolve({ stop: async () => void stopped++, lastContact: 0 })
      for (let i = 0; i < 3; i++) await turn()
      expect(stopped).to.equal(1)
    } finally {
      mock.timers.reset()
    }
  })

  it('consumes anew when the broker has been silent for 30 s', async () => {
    mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_000_000 })
    try {
      let contact = Date.now()
      driver.lastContact = () => contact
      await work(() => 1)
      await turn()
      mock.timers.tick(29_000)
      expect(driver.consumed).to.equal(1)
      mock.timers.tick(1_000)
      mock.timers.tick(5_000)
      contact = Date.now()
      for (let i = 0; i < 5; i++) await turn()
      expect(driver.consumed).to.equal(2)
      expect(errors[0]).to.have.property('code', 'UNAVAILABLE')
      mock.timers.tick(20_000)
      await turn()
      expect(driver.consumed).to.equal(2)
    } finally {
      mock.timers.reset()
    }
  })
})
