import { expect } from 'chai'
import { UnrecoverableError, type Job } from 'bullmq'
import type { Broker } from '@jobport/core'
import { eventually, plainly, Trial } from './trial.ts'

describe('BullMQ, native', () => {
  let trial: Trial
  let broker: Broker

  beforeEach(() => {
    trial = new Trial()
    broker = trial.broker()
  })

  afterEach(() => trial.close())

  describe('a plain worker', () => {
    it('runs our jobs: data is the object that was given, options are its own', async () => {
      const ran: Job[] = []
      await trial.plainWorker((job) => Promise.resolve(void ran.push(job)))
      const { uid } = await broker
        .queue(trial.name)
        .add('confirm', { orderId: 42 }, { attempts: 3, backoff: { type: 'fixed', delay: 20 }, headers: { trace: 'a' } })
      const job = await eventually('the run', () => ran[0])
      expect(plainly(job)).to.deep.include({ id: uid, name: 'confirm', data: { orderId: 42 } })
      expect(job.opts).to.deep.include({ attempts: 3, backoff: { type: 'fixed', delay: 20 } })
      const usual = await broker.queue(trial.name).add('confirm', 1)
      const stored = await trial.plainQueue().getJob(usual.uid!)
      expect(stored!.opts, 'what is usual is not written').to.not.have.property('jobport')
      await eventually('completion', async () => (await job.getState()) === 'completed')
    })

    it('retries our jobs as often and as late as we said', async () => {
      const starts: number[] = []
      const worker = await trial.plainWorker(() => {
        starts.push(Date.now())
        return Promise.reject(new Error(`run ${starts.length}`))
      })
      const dead = new Promise<Job>((resolve) => worker.on('failed', (job) => job && job.attemptsMade === 3 && resolve(job)))
      await broker.queue(trial.name).add('confirm', 1, { attempts: 3, backoff: { type: 'exponential', delay: 100 } })
      await dead
      expect(starts).to.have.length(3)
      expect(starts[1]! - starts[0]!, 'first wait').to.be.at.least(100)
      expect(starts[2]! - starts[1]!, 'second wait').to.be.at.least(200)
      const { jobs } = await broker.queue(trial.name).deadLetters.list()
      expect(jobs).to.have.length(1)
      expect(jobs[0]).to.deep.include({ name: 'confirm', data: 1, attempt: 3, reason: 'attempts' })
      expect(jobs[0]!.error).to.include({ name: 'Error', message: 'run 3' })
    })

    it('takes ours by priority, those without one first, and delayed ones when they are due', async () => {
      const queue = broker.queue(trial.name)
      const before = Date.now()
      await queue.add('late', 0, { delay: 300 })
      for (const priority of [9, 1, 5, 0]) await queue.add(`priority ${priority}`, 0, { priority })
      const ran: { name: string; after: number }[] = []
      await trial.plainWorker((job) => Promise.resolve(void ran.push({ name: job.name, after: Date.now() - before })))
      await eventually(
        'five runs',
        () => ran.length === 5,
        () => ran,
      )
      const names = ran.map(({ name }) => name).filter((name) => name !== 'late')
      expect(names).to.deep.equal(['priority 0', 'priority 1', 'priority 5', 'priority 9'])
      expect(ran.find(({ name }) => name === 'late')!.after).to.be.at.least(300)
    })
  })

  describe('our worker', () => {
    it('runs jobs of a plain add and addBulk, under their jobId or deduplication id', async () => {
      const plain = trial.plainQueue()
      await plain.addBulk([
        { name: 'a', data: { n: 1 } },
        { name: 'a', data: { n: 2 }, opts: { jobId: 'mine' } },
        { name: 'a', data: { n: 3 }, opts: { deduplication: { id: 'once' } } },
      ])
      const again = await plain.add('a', { n: 4 }, { deduplication: { id: 'once' } })
      const ran: { id: string; uid: string; data: unknown }[] = []
      await trial.worker(broker, (job) => void ran.push({ id: job.id, uid: job.uid, data: job.data }))
      await eventually(
        'three runs',
        () => ran.length === 3,
        () => ran,
      )
      expect(ran[0]).to.deep.equal({ id: ran[0]!.uid, uid: ran[0]!.uid, data: { n: 1 } })
      expect(ran[1]).to.deep.equal({ id: 'mine', uid: 'mine', data: { n: 2 } })
      expect(ran[2]).to.deep.equal({ id: 'once', uid: again.id, data: { n: 3 } })
    })

    it('retries them by their attempts and backoff, a number or an object', async () => {
      const starts = new Map<string, number[]>()
      const retries: [string, number | null][] = []
      const worker = await trial.worker(
        broker,
        ({ name }) => {
          starts.set(name, [...(starts.get(name) ?? []), Date.now()])
          throw new Error('again')
        },
        { concurrency: 4 },
      )
      worker.on('failed', ({ name }, _error, wait) => retries.push([name, wait]))
      const plain = trial.plainQueue()
      await plain.add('number', 1, { attempts: 2, backoff: 150 })
      await plain.add('object', 1, { attempts: 3, backoff: { type: 'exponential', delay: 100 } })
      await plain.add('none', 1)
      await eventually(
        'six failures',
        () => retries.length === 6,
        () => retries,
      )
      const waits = (name: string): (number | null)[] => retries.filter((retry) => retry[0] === name).map((retry) => retry[1])
      expect(waits('number')).to.deep.equal([150, null])
      expect(waits('object')).to.deep.equal([100, 200, null])
      expect(waits('none')).to.deep.equal([null])
      expect(starts.get('number')![1]! - starts.get('number')![0]!).to.be.at.least(150)
      expect(await plain.getFailedCount()).to.equal(3)
    })

    it('takes them by priority and when they are due', async () => {
      const plain = trial.plainQueue()
      const before = Date.now()
      await plain.add('late', 0, { delay: 300 })
      for (const priority of [2_000, 9, 1]) await plain.add(`priority ${priority}`, 0, { priority })
      await plain.add('first', 0)
      const ran: { name: string; after: number }[] = []
      await trial.worker(broker, ({ name }) => void ran.push({ name, after: Date.now() - before }))
      await eventually(
        'five runs',
        () => ran.length === 5,
        () => ran,
      )
      const names = ran.map(({ name }) => name).filter((name) => name !== 'late')
      expect(names).to.deep.equal(['first', 'priority 1', 'priority 9', 'priority 2000'])
      expect(ran.find(({ name }) => name === 'late')!.after).to.be.at.least(300)
    })

    it("ends a job that throws BullMQ's own UnrecoverableError", async () => {
      const worker = await trial.worker(broker, () => {
        throw new UnrecoverableError('no use')
      })
      const dead = new Promise<string>((resolve) => worker.on('dead', (_job, _error, reason) => resolve(reason)))
      await trial.plainQueue().add('a', 1, { attempts: 5 })
      expect(await dead).to.equal('unrecoverable')
      const [failed] = await trial.plainQueue().getFailed()
      expect(failed).to.include({ failedReason: 'no use', attemptsMade: 1 })
      expect(failed!.opts.attempts, "the stored options stay the producer's").to.equal(5)
    })

    it("keeps a producer's own removeOnComplete and removeOnFail", async () => {
      const plain = trial.plainQueue()
      let runs = 0
      const worker = await trial.worker(broker, ({ name }) => {
        if (name === 'fail') throw new Error('no')
      })
      for (const event of ['completed', 'failed'] as const) worker.on(event, () => (runs += 1))
      await plain.add('ok', 1, { removeOnComplete: true })
      await plain.add('fail', 1, { removeOnFail: true })
      await eventually('both', () => runs === 2)
      expect(await plain.getJobCounts('completed', 'failed')).to.deep.equal({ completed: 0, failed: 0 })
    })
  })

  it('shares a queue between plain workers and ours: each job runs as often as it must, whoever runs it', async () => {
    const runs = new Map<string, string[]>()
    const run = (who: string, id: string, fails: boolean): void => {
      runs.set(id, [...(runs.get(id) ?? []), who])
      if (fails && runs.get(id)!.length < 3) throw new Error('not yet')
    }
    await trial.plainWorker((job) => Promise.resolve().then(() => run('plain', job.id!, job.name === 'fails')), {
      concurrency: 3,
    })
    await trial.worker(broker, (job) => run('ours', job.uid, job.name === 'fails'), { concurrency: 3 })
    const plain = trial.plainQueue()
    const queue = broker.queue(trial.name)
    for (let i = 0; i < 60; i++) {
      const name = i % 3 === 0 ? 'fails' : 'ok'
      if (i % 2 === 0) await plain.add(name, i, { attempts: 3, backoff: 10 })
      else await queue.add(name, i, { attempts: 3, backoff: { type: 'fixed', delay: 10 } })
    }
    await eventually(
      'all completed',
      async () => (await plain.getCompletedCount()) === 60,
      () => [...runs.values()],
    )
    expect(await plain.getJobCounts('failed', 'waiting', 'delayed', 'active')).to.deep.equal({
      failed: 0,
      waiting: 0,
      delayed: 0,
      active: 0,
    })
    const often = (times: number): number => [...runs.values()].filter(({ length }) => length === times).length
    expect([often(1), often(3)]).to.deep.equal([40, 20])
    expect(new Set([...runs.values()].flat())).to.deep.equal(new Set(['plain', 'ours']))
  })

  it('keeps the id of a redriven job whose dead letter a plain tool runs once more', async () => {
    const queue = broker.queue(trial.name)
    const lives = await trial.worker(broker, () => {
      throw new UnrecoverableError('no use')
    })
    const died = (): Promise<void> => new Promise((resolve) => lives.on('dead', () => resolve()))
    const first = died()
    const { id } = await queue.add('a', 1)
    await first
    const second = died()
    const { uid } = await queue.deadLetters.redrive(id)
    await second
    await lives.stop()
    const again = Promise.withResolvers<boolean>()
    await trial.worker(broker, async () => again.resolve((await queue.add('a', 2, { id })).added))
    const letter = await trial.plainQueue().getJob(uid!)
    await letter!.retry()
    expect(await again.promise).to.equal(false)
  })

  it("takes the names of BullMQ's own keys as ids", async () => {
    const queue = broker.queue(trial.name)
    await queue.add('a', 1, { delay: 60_000 })
    await queue.add('a', 1)
    for (const id of ['wait', 'delayed', 'active', 'id', 'meta', 'events', 'marker', 'de:x']) {
      expect(await queue.get(id), id).to.equal(undefined)
      expect(await queue.remove(id), id).to.equal(false)
      expect(await queue.add('a', 1, { id }), id).to.include({ id, added: true })
      expect(await queue.get(id), id).to.include({ id, state: 'waiting' })
      expect(await queue.remove(id), id).to.equal(true)
    }
  })

  it('finds and removes a waiting job wherever it stands in a long queue', async () => {
    const queue = broker.queue(trial.name)
    const total = 25_000
    for (let from = 0; from < total; from += 1_000)
      await queue.addMany(Array.from({ length: 1_000 }, (_, i) => ({ name: 'a', data: 1, options: { id: `j${from + i}` } })))
    const places = [0, 500, 5_000, total / 2, total - 5_000, total - 500, total - 1].map((place) => `j${place}`)
    for (const id of places) {
      expect(await queue.get(id), id).to.include({ id, state: 'waiting' })
      expect(await queue.remove(id), id).to.equal(true)
      expect(await queue.get(id), id).to.equal(undefined)
      expect(await queue.remove(id), id).to.equal(false)
    }
    expect(await queue.counts()).to.deep.equal({ waiting: total - places.length, delayed: 0, active: 0, dead: 0 })
  })

  it("tells BullMQ's QueueEvents what became of a job", async () => {
    const events = await trial.events()
    const told: unknown[] = []
    events.on('completed', ({ jobId, returnvalue }) => told.push({ jobId, returnvalue }))
    events.on('failed', ({ jobId, failedReason }) => told.push({ jobId, failedReason }))
    await trial.worker(broker, ({ name }) => {
      if (name === 'fail') throw new Error('broken')
      return { sum: 3 }
    })
    const queue = broker.queue(trial.name)
    const good = await queue.add('good', 1)
    const bad = await queue.add('fail', 1)
    await eventually(
      'two events',
      () => told.length === 2,
      () => told,
    )
    expect(told).to.deep.include({ jobId: good.uid, returnvalue: { sum: 3 } })
    expect(told).to.deep.include({ jobId: bad.uid, failedReason: 'broken' })
  })
})
