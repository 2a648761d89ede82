import { patiently } from '@jobport/conformance'
import type { Broker, JobportError } from '@jobport/core'
import { expect } from 'chai'
import { Cluster } from './cluster.ts'
import { Hand } from './hand.ts'
import { largest } from './largest.ts'
import { eventually, Trial } from './trial.ts'

const CONNECTIONS = 50
const IDS = 100
/** For 5,000 adds at once on a machine that is busy, ms. */
const PATIENCE = 45_000
const RECOVERY = 10_000

describe('NATS, races', function () {
  this.timeout(120_000)

  it('50 connections add the same 100 ids: 100 jobs are stored', async () => {
    const trial = new Trial()
    try {
      await race(trial, () => trial.broker())
    } finally {
      await trial.close()
    }
  })

  it('remove beside 1,000 starts: never both true and run', async () => {
    const trial = new Trial()
    try {
      const queue = trial.broker().queue(trial.name)
      const ran = new Set<string>()
      await trial.worker(trial.broker(), ({ id }) => void ran.add(id), { concurrency: 20 })
      const removed: string[] = []
      for (let from = 0; from < 1_000; from += 50) {
        const ids = Array.from({ length: 50 }, (_, i) => `race-${from + i}`)
        const add = async (id: string): Promise<void> => {
          await queue.add('a', 1, { id, ...(Math.random() < 0.3 && { delay: 1 }) })
          if (await queue.remove(id)) removed.push(id)
        }
        await Promise.all(ids.map(add))
      }
      await eventually(
        '1,000 ends',
        () => ran.size + removed.length >= 1_000,
        () => [ran.size, removed.length],
      )
      await eventually('nothing left', async () => Object.values(await queue.counts()).every((count) => count === 0))
      expect(removed.filter((id) => ran.has(id))).to.deep.equal([])
    } finally {
      await trial.close()
    }
  })

  it('purge beside 100 running jobs takes all that wait, and none of them', async () => {
    const trial = new Trial()
    try {
      const queue = trial.broker().queue(trial.name)
      const gate = Promise.withResolvers<void>()
      let completed = 0
      const worker = await trial.worker(trial.broker(), () => gate.promise, { concurrency: 100 })
      worker.on('completed', () => (completed += 1))
      await queue.addMany(
        Array.from({ length: 600 }, (_, i) => ({ name: 'a', data: i, ...(i % 3 === 2 && { options: { delay: 60_000 } }) })),
      )
      await eventually('100 running jobs', async () => (await queue.counts()).active === 100)
      expect(await queue.purge()).to.equal(500)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 100, dead: 0 })
      gate.resolve()
      await eventually(
        '100 completions',
        () => completed === 100,
        () => completed,
      )
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    } finally {
      await trial.close()
    }
  })

  describe('on a cluster of three', () => {
    let cluster: Cluster
    let trial: Trial

    before(async () => {
      cluster = await Cluster.open()
    })

    after(() => cluster.close())

    beforeEach(() => {
      trial = new Trial(`${cluster.url}?replicas=3`)
    })

    afterEach(() => trial.close())

    it('50 connections add the same 100 ids: 100 jobs are stored', async () => {
      await race(trial, () => trial.broker())
    })

    it('all that core lets through at its largest fits, on every path', async () => {
      const hand = await Hand.open(`${cluster.url}?replicas=3`, trial.name, { ackWait: 10_000 })
      try {
        await largest(hand, trial.name)
      } finally {
        await hand.close()
      }
    })

    it('a stream that has fewer copies than asked for, or no longer as many, is told, and works', async () => {
      const one = trial.broker({ replicas: 1 }).queue(trial.name)
      await one.add('a', 1)
      expect(trial.errors).to.deep.equal([])
      const three = trial.broker().queue(trial.name)
      expect(await three.add('a', 2)).to.include({ added: true })
      expect(await three.add('a', 3)).to.include({ added: true })
      expect(trial.errors.map((error) => (error as JobportError).code)).to.deep.equal(['SERVER_UNSUITABLE'])
      expect(trial.errors[0]!.message).to.include('1 of the 3 copies')
    })

    it('what another copy delivers before the leader has it is run all the same', async () => {
      const queue = trial.broker({}, { deadline: Math.ceil(patiently(PATIENCE)) }).queue(trial.name)
      const ran = new Set<string>()
      await trial.worker(trial.broker(), ({ id }) => void ran.add(id), { concurrency: 50 })
      const added: string[] = []
      // one by one, so that the worker waits for each
      const produce = async (producer: string): Promise<void> => {
        for (let i = 0; i < 1_000; i++) added.push((await queue.add('a', 1, { id: `${producer}-${i}` })).id)
      }
      await Promise.all(['a', 'b', 'c'].map(produce))
      const missing = (): string[] => added.filter((id) => !ran.has(id))
      await eventually('every run', () => missing().length === 0, missing, 20_000)
    })

    it('the leader is killed: what was accepted runs once, and work goes on within 10 s of the election', async () => {
      const queue = trial.broker({}, { deadline: 10_000 }).queue(trial.name)
      const ran: string[] = []
      await trial.worker(trial.broker(), ({ id }) => void ran.push(id), { concurrency: 10 })
      const accepted: string[] = []
      const failed: unknown[] = []
      const stopping = new AbortController()
      const produce = async (): Promise<void> => {
        for (let i = 0; !stopping.signal.aborted; i++) {
          await queue.add('a', i, { id: `job-${i}` }).then(
            ({ id }) => accepted.push(id),
            (error: unknown) => failed.push(error),
          )
        }
      }
      const producing = produce()
      await eventually('work before', () => ran.length > 50)
      const leader = await cluster.leaderOf(trial.stream)
      await leader.kill()
      const before = ran.length
      // the servers themselves may take up to nine seconds for it
      await cluster.elected(trial.stream, 'w0', leader)
      const elected = performance.now()
      await eventually(
        'work after',
        () => ran.length > before + 50,
        () => [ran.length, failed.map(String)],
        RECOVERY,
      )
      expect(performance.now() - elected).to.be.below(patiently(RECOVERY))
      stopping.abort()
      await producing
      await leader.start()
      const missing = (): string[] => accepted.filter((id) => !ran.includes(id))
      await eventually(
        'all that was accepted',
        () => missing().length === 0,
        async () => ({
          missing: await Promise.all(missing().map(async (id) => [id, (await queue.get(id)) ?? 'no such job'])),
          counts: await queue.counts(),
          failed: failed.map(String),
        }),
        30_000,
      )
      expect(accepted.length + failed.length).to.be.at.least(100)
    })
  })
})

async function race(trial: Trial, open: () => Broker): Promise<void> {
  const brokers = Array.from({ length: CONNECTIONS }, open)
  await Promise.all(brokers.map((broker) => broker.connect()))
  const jobs = Array.from({ length: IDS }, (_, i) => ({ name: 'a', data: i, options: { id: `same-${i}` } }))
  const deadline = Math.ceil(patiently(PATIENCE))
  const receipts = (await Promise.all(brokers.map((broker) => broker.queue(trial.name).addMany(jobs, { deadline })))).flat()
  expect(receipts).to.have.length(CONNECTIONS * IDS)
  const added = receipts.filter((receipt) => receipt.added)
  expect(new Set(added.map(({ id }) => id)).size).to.equal(IDS)
  expect(added).to.have.length(IDS)
  expect(await brokers[0]!.queue(trial.name).counts()).to.deep.equal({ waiting: IDS, delayed: 0, active: 0, dead: 0 })
}
