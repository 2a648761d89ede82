import { expect } from 'chai'
import type { JobState, Outcome, QueueAdmin, StoredJob } from '@jobport/core/driver'
import { Bare, messageOf, STORES } from './both.ts'
import { eventually } from './trial.ts'

const JOBS = 30

for (const { store, url } of STORES)
  describe(`BullMQ on ${store}, jobs whose time has come`, function () {
    this.timeout(30_000)
    let bare: Bare
    let admin: QueueAdmin

    beforeEach(async () => {
      bare = await new Bare(url).connect()
      admin = bare.driver.admin(bare.name)
    })

    afterEach(() => bare.close())

    it('wait: counts, lists and get say so while nobody works, and they can be removed and purged', async () => {
      await bare.add(...Array.from({ length: 5 }, (_, i) => messageOf({ uid: `u${i}`, id: `late-${i}`, delay: 5 - i })))
      await bare.add(messageOf({ name: 'waits' }), messageOf({ name: 'by priority', priority: 3 }))
      await bare.add(messageOf({ name: 'delayed', delay: 60_000 }))
      await overdue(7)
      expect(await admin.counts()).to.deep.equal({ waiting: 7, delayed: 1, active: 0, dead: 0 })
      const waiting = await all(admin, 'waiting', 3)
      expect(waiting.map(({ state, dueAt }) => [state, dueAt])).to.deep.equal(
        Array.from({ length: 7 }, () => ['waiting', undefined]),
      )
      expect(await all(admin, 'waiting', 100), 'in the same order').to.deep.equal(waiting)
      expect((await all(admin, 'delayed', 1)).map(({ message }) => message.name)).to.deep.equal(['delayed'])
      const late = await admin.get('late-3', 'live')
      expect([late?.state, late?.dueAt]).to.deep.equal(['waiting', undefined])
      expect(await admin.remove('late-3', 'live')).to.equal(true)
      expect(await admin.get('late-3', 'live')).to.equal(undefined)
      await admin.pause()
      expect(await admin.counts()).to.deep.equal({ waiting: 6, delayed: 1, active: 0, dead: 0 })
      expect(await all(admin, 'waiting', 4)).to.have.length(6)
      expect(await admin.purge('live')).to.equal(7)
      expect(await admin.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    })

    it('show each job once, and none for nothing, though some fall due between two pages', async () => {
      await bare.add(...Array.from({ length: 40 }, (_, i) => messageOf({ delay: 1 + i * 50 })))
      const seen: string[] = []
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await admin.list('delayed', { limit: 3, ...(cursor !== undefined && { cursor }) })
        seen.push(...page.jobs.map(({ message }) => message.uid))
        cursor = page.cursor
      }
      expect(new Set(seen).size).to.equal(seen.length)
      expect(seen.length).to.be.at.least(3)
      await overdue(40)
    })

    it('start in order of due time when a worker comes, whenever they were added', async () => {
      await addShuffled(JOBS, () => {})
      const due = await dueTimes(JOBS)
      await overdue(JOBS)
      expectOrder(await names(JOBS), due)
    })

    it('start in order of due time within a priority', async () => {
      await addShuffled(JOBS, (i) => ({ priority: 1 + (i % 2) }))
      const due = await dueTimes(JOBS)
      await overdue(JOBS)
      const ran = await names(JOBS)
      const isFirst = (name: string): boolean => Number(name) % 2 === 0
      expect(ran.map(isFirst)).to.deep.equal(ran.map((_, i) => i < JOBS / 2))
      expectOrder(ran.filter(isFirst), due)
      expectOrder(
        ran.filter((name) => !isFirst(name)),
        due,
      )
    })

    it('start in order of due time after a pause', async () => {
      await admin.pause()
      await bare.consume(1)
      await addShuffled(JOBS, () => {})
      const due = await dueTimes(JOBS)
      await overdue(JOBS)
      await admin.resume()
      expectOrder(await run(JOBS), due)
    })

    const error = { name: 'E', message: 'm' }
    const ends: Outcome[] = [
      { type: 'complete', result: null },
      { type: 'again', delay: 60_000, attempt: 2, error },
      { type: 'dead', error, reason: 'attempts' },
      { type: 'release' },
    ]
    for (const end of ends)
      it(`start in order of due time behind a job that ran meanwhile, and ended with ${end.type}`, async () => {
        await bare.add(messageOf({ name: 'busy' }))
        await bare.consume(1)
        const first = await bare.delivery(0)
        await bare.add(...[3, 1, 2].map((i) => messageOf({ name: String(i), delay: 50 + i * 50 })))
        await overdue(3)
        await first.settle(end)
        const ran = (await run(end.type === 'release' ? 4 : 3, 1)).filter((name) => name !== 'busy')
        expect(ran).to.deep.equal(['1', '2', '3'])
      })

    it('are retries and delayed jobs alike', async () => {
      await bare.add(messageOf({ name: 'retry 1000', attempts: 2 }), messageOf({ name: 'retry 200', attempts: 2 }))
      await bare.consume(2)
      await bare.delivery(1)
      await bare.consumer!.stop()
      for (const { message, settle } of bare.deliveries.map((delivery) => ({
        message: delivery.message,
        settle: delivery.settle.bind(delivery),
      })))
        await settle({ type: 'again', attempt: 2, delay: Number(message.name.slice(6)), error: { name: 'E', message: 'm' } })
      await bare.add(messageOf({ name: 'delay 600', delay: 600 }), messageOf({ name: 'delay 1400', delay: 1_400 }))
      await overdue(4)
      expect(await names(4)).to.deep.equal(['retry 200', 'delay 600', 'retry 1000', 'delay 1400'])
    })

    it('come after the jobs that wait already, as new ones do', async () => {
      await bare.add(messageOf({ name: 'due', delay: 20 }))
      await bare.add(messageOf({ name: 'waits' }))
      await overdue(2)
      expect(await names(2)).to.deep.equal(['waits', 'due'])
    })

    async function overdue(count: number): Promise<void> {
      await eventually(
        'all due',
        async () => (await admin.counts()).waiting === count,
        () => admin.counts(),
      )
    }

    /** Named by number; due a millisecond or more apart, in no order of theirs. */
    async function addShuffled(count: number, more: (i: number) => object | void): Promise<void> {
      const places = Array.from({ length: count }, (_, i) => i).toSorted((a, b) => Math.sin(a * 7) - Math.sin(b * 7))
      const end = Date.now() + 1_200
      await bare.add(...places.map((i) => messageOf({ name: String(i), delay: end - Date.now() + i * 2, ...more(i) })))
    }

    /** By name. */
    async function dueTimes(count: number): Promise<Map<string, number>> {
      const jobs = await all(admin, 'delayed', 1_000)
      expect(jobs).to.have.length(count)
      const due = new Map(jobs.map(({ message, dueAt }) => [message.name, dueAt!]))
      expect(new Set(due.values()).size, 'different times').to.be.at.least(count / 2)
      return due
    }

    function expectOrder(ran: string[], due: Map<string, number>): void {
      const times = ran.map((name) => due.get(name)!)
      expect(times).to.deep.equal(times.toSorted((a, b) => a - b))
    }

    async function names(count: number): Promise<string[]> {
      const from = bare.deliveries.length
      await bare.consume(1)
      return run(count, from)
    }

    async function run(count: number, from = 0): Promise<string[]> {
      const ran: string[] = []
      for (let i = from; ran.length < count; i++) {
        const delivery = await bare.delivery(i)
        ran.push(delivery.message.name)
        await delivery.settle({ type: 'complete', result: null })
      }
      return ran
    }
  })

async function all(admin: QueueAdmin, state: JobState, limit: number): Promise<StoredJob[]> {
  const found: StoredJob[] = []
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await admin.list(state, { limit, ...(cursor !== undefined && { cursor }) })
    found.push(...page.jobs)
    cursor = page.cursor
  }
  return found
}
