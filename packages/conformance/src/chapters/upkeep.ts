import { expect, quiet, until, within } from '../assert.ts'
import { messageOf } from '../message.ts'
import { ENVELOPE_VERSION, type Delivery } from '@jobport/core/driver'
import type { Case } from '../case.ts'
import type { Job } from '@jobport/core'

/** What a queue's keeper does while jobs come and go: pause, look, cancel, ask for health, roll out a new version. */
export const upkeep: readonly Case[] = [
  {
    id: 'LIFE-15',
    title: 'pause holds for all workers; what runs finishes, retries and new jobs wait; resume lets them go',
    needs: 'pause',
    run: async ({ queue, broker, work, story, completed, counted }) => {
      const gate = Promise.withResolvers<void>()
      const handler = async ({ name, attempt }: Job): Promise<void> => {
        if (name === 'running') await gate.promise
        if (name === 'running' && attempt === 1) throw new Error('again')
      }
      await work(handler, { concurrency: 3 })
      await work(handler, { concurrency: 3 }, { broker: broker() })
      await queue.add('running', 1, { attempts: 2 })
      await counted({ active: 1 })
      expect(await queue.isPaused()).to.equal(false)
      await queue.pause()
      expect(await broker().queue(queue.name).isPaused()).to.equal(true)
      await queue.addMany([1, 2, 3].map((data) => ({ name: 'later', data })))
      gate.resolve()
      await until(
        () => story.of('failed').length === 1,
        'the end of the running job',
        () => story.tally(),
      )
      await quiet(400, 'a start while paused', () => story.of('active').length)
      expect(story.of('active'), 'starts before resume').to.have.length(1)
      await queue.resume()
      expect(await queue.isPaused()).to.equal(false)
      await completed(4)
    },
  },
  {
    id: 'LIFE-16',
    title: 'get and list show waiting, delayed and active jobs, page by page',
    needs: 'inspect',
    run: async ({ queue, work, counted, features }) => {
      const ids = Array.from({ length: 25 }, (_, i) => `job-${i}`)
      for (const id of ids) await queue.add('a', { id }, { id, headers: { h: id }, attempts: 4 })
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await queue.list('waiting', { limit: 10, ...(cursor !== undefined && { cursor }) })
        expect(page.jobs.length).to.be.at.most(10)
        seen.push(...page.jobs.map(({ id }) => id))
        cursor = page.cursor
      } while (cursor !== undefined)
      expect(seen).to.have.members(ids)
      expect(await queue.get('job-7')).to.deep.include({
        id: 'job-7',
        state: 'waiting',
        data: { id: 'job-7' },
        headers: { h: 'job-7' },
        attempt: 1,
        attempts: 4,
      })
      await queue.purge()
      if (features.delay) {
        const before = Date.now()
        await queue.add('a', 1, { id: 'late', delay: 60_000 })
        const late = await queue.get('late')
        expect(late).to.include({ state: 'delayed' })
        expect(late!.dueAt!.getTime()).to.be.within(before + 59_000, Date.now() + 61_000)
        expect((await queue.list('delayed')).jobs.map(({ id }) => id)).to.deep.equal(['late'])
      }
      const gate = Promise.withResolvers<void>()
      await work(() => gate.promise)
      await queue.add('a', 1, { id: 'now' })
      await counted({ active: 1 })
      expect(await queue.get('now')).to.include({ state: 'active', attempt: 1 })
      expect((await queue.list('active')).jobs.map(({ id }) => id)).to.deep.equal(['now'])
      gate.resolve()
      await counted({ active: 0 })
    },
  },
  {
    id: 'LIFE-18',
    title: 'remove: true for waiting and delayed, which never run; false for active, completed and unknown',
    needs: 'cancel',
    run: async ({ queue, work, story, completed, counted, features }) => {
      await queue.add('a', 1, { id: 'waiting' })
      expect(await queue.remove('waiting')).to.equal(true)
      expect(await queue.remove('waiting')).to.equal(false)
      if (features.delay) {
        await queue.add('a', 1, { id: 'delayed', delay: 300 })
        expect(await queue.remove('delayed')).to.equal(true)
      }
      const gate = Promise.withResolvers<void>()
      await work(() => gate.promise)
      await queue.add('a', 1, { id: 'active' })
      await counted({ active: 1, waiting: 0, delayed: 0 })
      expect(await queue.remove('active')).to.equal(false)
      gate.resolve()
      await completed(1)
      expect(await queue.remove('active')).to.equal(false)
      expect(await queue.remove('unknown')).to.equal(false)
      await quiet(500, 'the run of a removed job', () => story.ids('active'))
      expect(story.ids('active')).to.deep.equal(['active'])
      expect(await queue.add('a', 1, { id: 'waiting' })).to.include({ added: true })
    },
  },
  {
    id: 'LIFE-21',
    title: 'health: the broker answers, workers consume, and each queue counts its worker processes',
    run: async ({ main, queue, work }) => {
      await work(() => 1)
      const health = await within(5_000, 'health', main.health())
      expect(health).to.include({ ok: true })
      expect(health.latency).to.be.a('number')
      expect(health.server).to.be.a('string').that.is.not.empty
      expect(health.queues[queue.name]).to.deep.equal({ paused: false, workers: 1 })
      expect(health.workers).to.deep.equal([{ queue: queue.name, consuming: true, running: 0, stuck: 0 }])
      await main.close()
      expect(await within(5_000, 'health', main.health())).to.include({ ok: false })
    },
  },
  {
    id: 'CAN-K1',
    title: 'remove against start, 1,000 races: never both true and run; purge touches nothing active',
    needs: 'cancel',
    run: async ({ queue, another, work, story, broker, counted }) => {
      await work(() => 1, { concurrency: 20 })
      const other = broker().queue(queue.name)
      const removed: string[] = []
      for (let batch = 0; batch < 20; batch++) {
        const ids = Array.from({ length: 50 }, (_, i) => `race-${batch}-${i}`)
        await Promise.all(
          ids.map(async (id) => {
            await queue.add('a', 1, { id })
            if (await other.remove(id)) removed.push(id)
          }),
        )
      }
      await counted({ waiting: 0, active: 0 })
      await until(
        () => story.of('completed').length + removed.length >= 1_000,
        '1,000 ends',
        () => [story.tally(), removed.length],
      )
      const ran = new Set(story.ids('active'))
      expect(
        removed.filter((id) => ran.has(id)),
        'removed and run',
      ).to.deep.equal([])
      expect(ran.size + removed.length).to.equal(1_000)
      const gate = Promise.withResolvers<void>()
      const held = another('held')
      await work(() => gate.promise, { concurrency: 10 }, { queue: held.name })
      await held.addMany(Array.from({ length: 15 }, (_, i) => ({ name: 'held', data: i, options: { id: `held-${i}` } })))
      await counted({ active: 10, waiting: 5 }, held)
      expect(await held.purge()).to.equal(5)
      await counted({ active: 10, waiting: 0 }, held)
      gate.resolve()
      await until(
        () => story.ids('completed').length === ran.size + 10,
        'the end of all that was active',
        () => story.tally(),
      )
    },
  },
  {
    id: 'CAN-K2',
    title: 'purge empties the queue of all that waits, ids given or not, due or not; frees the ids, and tells how many',
    needs: 'cancel',
    run: async ({ queue, work, story, counted, features }) => {
      const kinds = [{}, { id: 'given' }, ...(features.delay ? [{ delay: 700 }, { delay: 700, id: 'later' }] : [])]
      const bare = { ...(features.priority && { priority: 2 }) }
      for (const options of kinds) await queue.add('a', 1, { ...options, ...bare })
      expect(await queue.purge()).to.equal(kinds.length)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      expect(await queue.purge()).to.equal(0)
      await work(() => 1)
      await quiet(1_200, 'the run of a purged job', () => story.tally())
      for (const id of ['given', 'later']) expect(await queue.add('a', 1, { id }), id).to.include({ added: true })
    },
  },
  {
    id: 'ENV-K1',
    title: 'a job of a newer envelope is handed back with an error, untouched, and runs on a newer worker',
    run: async ({ queue, work, story, driver, take, counted }) => {
      const newer = messageOf({ version: ENVELOPE_VERSION + 1, name: 'from tomorrow', data: { kept: true } })
      const raw = await driver()
      await raw.publish(queue.name, [newer], { signal: new AbortController().signal })
      const worker = await work(() => 1)
      await until(
        () => story.errors.length > 0,
        'an error',
        () => story.tally(),
      )
      expect(story.tally()).to.deep.equal({})
      expect(story.errors[0]!.message).to.include(`version ${ENVELOPE_VERSION + 1}`)
      await worker.stop()
      await counted({ waiting: 1, active: 0, dead: 0 })
      const { deliveries } = await take(1)
      await until(
        () => deliveries.length > 0,
        'delivery to the newer worker',
        () => deliveries.length,
      )
      const { message, attempt, crashes } = deliveries[0] as Delivery
      expect({ uid: message.uid, version: message.version, attempt, crashes }).to.deep.equal({
        uid: newer.uid,
        version: ENVELOPE_VERSION + 1,
        attempt: 1,
        crashes: 0,
      })
      await deliveries[0]!.settle({ type: 'complete', result: null })
      await counted({ waiting: 0, active: 0 })
    },
  },
]
