import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createPostgresBackend, Queue, QueueEvents } from 'bullmq'
import { expect } from 'chai'
import { Pool } from 'pg'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { Broker, type WorkerOptions } from '@jobport/core'
import { Bare, messageOf, QUICK, STORES } from './both.ts'
import { eventually } from './trial.ts'

const ERROR = { name: 'E', message: 'm' }

for (const { store, url } of STORES)
  describe(`BullMQ on ${store}, seen by its own listeners and tools`, function () {
    this.timeout(30_000)
    let bare: Bare
    const closing: (() => Promise<unknown>)[] = []

    beforeEach(async () => {
      bare = await new Bare(url).connect()
    })

    afterEach(async () => {
      for (const close of closing.splice(0).toReversed()) await close()
      await bare.close()
    })

    const poolOf = (): Pool => {
      const pool = new Pool({ connectionString: url, options: '-c search_path=bullmq' })
      closing.push(() => pool.end())
      return pool
    }

    const plainQueue = (): Queue => {
      const queue =
        store === 'Redis'
          ? new Queue(bare.name, { connection: { url } })
          : new Queue(bare.name, { connection: poolOf() }, createPostgresBackend as never)
      closing.push(() => queue.close())
      return queue
    }

    async function listen(): Promise<[string, string][]> {
      const removed: [string, string][] = []
      const events =
        store === 'Redis'
          ? new QueueEvents(bare.name, { connection: { url } })
          : new QueueEvents(bare.name, { connection: poolOf() }, createPostgresBackend as never)
      closing.push(() => events.close())
      events.on('error', () => {})
      events.on('removed', ({ jobId, prev }) => removed.push([jobId, prev ?? '']))
      await events.waitUntilReady()
      // it is ready before it has read where the events stand
      for (let i = 0; !removed.some(([uid]) => uid === `first-${i - 1}`); i++) {
        await bare.add(messageOf({ uid: `first-${i}` }))
        await bare.driver.admin(bare.name).remove(`first-${i}`, 'live')
        await eventually('the first event', () => removed.some(([uid]) => uid === `first-${i}`), undefined, 1_000).catch(() => {})
      }
      removed.length = 0
      return removed
    }

    async function die(...uids: string[]): Promise<void> {
      await bare.add(...uids.map((uid) => messageOf({ uid, id: `id-${uid}` })))
      const from = bare.deliveries.length
      const consumer = await bare.consume(uids.length)
      for (let i = 0; i < uids.length; i++) {
        const delivery = await bare.delivery(from + i)
        await delivery.settle({ type: 'dead', error: ERROR, reason: 'attempts' })
      }
      await consumer.stop()
    }

    it("is told by BullMQ's QueueEvents of each job that is removed, purged, redriven or dropped", async () => {
      const admin = bare.driver.admin(bare.name)
      const removed = await listen()
      const expectTold = async (what: string, ...expected: [string, string][]): Promise<void> => {
        await eventually(
          what,
          () => removed.length >= expected.length,
          () => removed,
        )
        expect(removed.splice(0), what).to.have.deep.members(expected)
      }
      await bare.add(messageOf({ uid: 'a' }), messageOf({ uid: 'b', delay: 60_000 }), messageOf({ uid: 'c', priority: 2 }))
      for (const uid of ['a', 'b', 'c']) await admin.remove(uid, 'live')
      await expectTold('remove', ['a', 'waiting'], ['b', 'delayed'], ['c', 'waiting'])
      await bare.add(messageOf({ uid: 'd' }), messageOf({ uid: 'e', delay: 60_000 }), messageOf({ uid: 'f', priority: 2 }))
      expect(await admin.purge('live')).to.equal(3)
      await expectTold('purge', ['d', 'waiting'], ['e', 'delayed'], ['f', 'waiting'])
      await die('g', 'h', 'i', 'j')
      await admin.remove('g', 'dead')
      await expectTold('remove of a dead one', ['g', 'failed'])
      expect(await admin.redrive('h', { uid: 'h2' })).to.equal('redriven')
      await expectTold('redrive', ['h', 'failed'])
      expect(await admin.purge('dead')).to.equal(2)
      await expectTold('purge of the dead', ['i', 'failed'], ['j', 'failed'])
      await bare.consumer!.stop()
      await bare.add(messageOf({ uid: 'k' }))
      await admin.drop()
      await expectTold('drop', ['h2', 'waiting'], ['k', 'waiting'])
    })

    it('sees a redriven job without its delay and its dedup window, as attempt 1', async () => {
      const admin = bare.driver.admin(bare.name)
      await bare.add(
        messageOf({
          uid: 'a',
          id: 'mine',
          delay: 10,
          dedup: { ttl: 60_000 },
          attempts: 3,
          priority: 4,
          headers: { h: '1' },
          data: { n: 1 },
        }),
      )
      await bare.consume(1)
      await (await bare.delivery(0)).settle({ type: 'dead', error: ERROR, reason: 'unrecoverable' })
      await bare.consumer!.stop()
      expect(await admin.redrive('a', { uid: 'b', attempts: 2 })).to.equal('redriven')
      const job = await admin.get('mine', 'live')
      expect(job).to.include({ state: 'waiting', attempt: 1, crashes: 0 })
      expect(job!.message).to.deep.include({
        id: 'mine',
        uid: 'b',
        attempts: 2,
        priority: 4,
        headers: { h: '1' },
        data: { n: 1 },
      })
      expect(job!.message).to.not.have.any.keys('delay', 'dedup')
      await bare.consume(1)
      await (await bare.delivery(1)).settle({ type: 'complete', result: null })
      expect(await bare.add(messageOf({ id: 'mine' })), 'no window').to.deep.equal([{ status: 'added' }])
    })

    it('counts processes as workers, not drivers, consumers or connections', async () => {
      const admin = bare.driver.admin(bare.name)
      const others = [await new Bare(url, {}, bare.name).connect(), await new Bare(url).connect()]
      closing.push(() => Promise.all(others.map((one) => one.close({ drop: false }))))
      expect(await admin.status()).to.deep.equal({ paused: false, workers: 0 })
      await others[1]!.consume()
      expect((await admin.status()).workers, 'of another queue').to.equal(0)
      await bare.consume()
      await bare.consume()
      await others[0]!.consume()
      expect(await admin.status()).to.deep.equal({ paused: false, workers: 1 })
      expect((await others[1]!.driver.admin(others[1]!.name).status()).workers).to.equal(1)
      const child = fork(new URL('./consumes.ts', import.meta.url), [url, bare.name], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      await once(child, 'message')
      expect((await admin.status()).workers).to.equal(2)
      child.kill('SIGKILL')
      await once(child, 'exit')
      await eventually('one process less', async () => (await admin.status()).workers === 1)
      await others[0]!.driver.close()
      await bare.driver.close()
      await eventually('none', async () => (await others[1]!.driver.admin(bare.name).status()).workers === 0)
      bare = await new Bare(url, {}, bare.name).connect()
    })

    async function retried(backoff: object, options: WorkerOptions): Promise<{ wait: number; errors: string[] }> {
      const broker = new Broker(new BullMQDriver({ url, ...QUICK }))
      const errors: string[] = []
      broker.on('error', ({ message }) => errors.push(message))
      closing.push(() => broker.close({ timeout: 0 }))
      const queue = plainQueue()
      const starts = new Map<string, number[]>()
      const worker = broker.worker(
        bare.name,
        ({ name }) => {
          starts.set(name, [...(starts.get(name) ?? []), Date.now()])
          throw new Error('again')
        },
        options,
      )
      await worker.ready()
      for (const name of ['one', 'two']) await queue.add(name, 1, { jobId: `id-${name}`, attempts: 2, backoff: backoff as never })
      await eventually('four runs', () => [...starts.values()].flat().length === 4)
      return { wait: Math.min(...[...starts.values()].map(([first, second]) => second! - first!)), errors }
    }

    it("hears of a backoff that only BullMQ's workers know, once, and the retry waits the job's own delay", async () => {
      const { wait, errors } = await retried({ type: 'jittered', delay: 300 }, {})
      expect(wait).to.be.at.least(300)
      expect(errors).to.deep.equal([
        "one id-one asks for the backoff 'jittered', a strategy of BullMQ's workers that Jobport does not know: its retries wait 300 ms, its own delay, unless the worker's backoff decides",
      ])
    })

    it("leaves a backoff that only BullMQ's workers know to the worker's own", async () => {
      const { wait, errors } = await retried({ type: 'jittered', delay: 60_000 }, { backoff: () => 200 })
      expect(wait).to.be.at.least(200)
      expect(errors).to.deep.equal([])
    })
  })
