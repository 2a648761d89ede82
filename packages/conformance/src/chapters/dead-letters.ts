import { UnrecoverableError } from '@jobport/core'
import { expect, quiet, until } from '../assert.ts'
import { fail } from '../fail.ts'
import type { JobView } from '@jobport/core'
import type { Case } from '../case.ts'

/** Clocks of one machine, read by several processes, ms. */
const SKEW = 1_000

/** What leads into the dead letters, and what rests there. */
export const deadLetters: readonly Case[] = [
  {
    id: 'DLQ-01',
    title: 'a dead job rests there once: payload, headers, name, id, uid, attempts, reason, error, first and last time',
    run: async ({ queue, work, died, exactly, deadLetters: all }) => {
      const start = Date.now()
      const data = { order: 7, lines: ['ü', null, { deep: [1.5, true] }] }
      await work(({ id }) => {
        throw new TypeError(`cannot read ${id}`)
      })
      const given = await queue.add('confirm', data, { id: 'order:7', attempts: 3, headers: { trace: 'a b' } })
      const made = await queue.add('notify', 'text')
      await died(2)
      const letters = await all()
      exactly(
        [given.uid!, made.uid!],
        letters.map(({ uid }) => uid),
        'dead letters',
      )
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 2 })
      const letter = (await queue.deadLetters.get('order:7'))!
      expect(letter).to.deep.include({
        ...{ id: 'order:7', uid: given.uid, name: 'confirm', queue: queue.name, data, headers: { trace: 'a b' } },
        ...{ state: 'dead', reason: 'attempts', attempt: 3, attempts: 3, crashes: 0 },
      })
      expect(letter.error).to.include({ name: 'TypeError', message: 'cannot read order:7' })
      expect(letter.error!.stack).to.include('cannot read order:7')
      expect(letter.addedAt.getTime()).to.be.within(start, Date.now())
      expect(letter.diedAt!.getTime()).to.be.within(start - SKEW, Date.now() + SKEW)
      expect(letters.find(({ id }) => id === 'order:7')).to.deep.equal(letter)
      expect(await queue.get('order:7')).to.deep.equal(letter)
      expect(await queue.deadLetters.get(made.id)).to.deep.include({
        id: made.id,
        uid: made.uid,
        name: 'notify',
        data: 'text',
        headers: {},
        attempt: 1,
        attempts: 1,
      })
      expect(await queue.deadLetters.get('unknown')).to.equal(undefined)
    },
  },
  {
    id: 'DLQ-02',
    title: 'a job is not there before its last run has failed, nor if that succeeds',
    run: async ({ queue, work, story, completed, died, deadLetters: all }) => {
      const seen: number[] = []
      const gate = Promise.withResolvers<void>()
      const look = async (): Promise<void> => void seen.push((await all()).length + (await queue.counts()).dead)
      await work(async ({ name, attempt }) => {
        await look()
        if (name === 'fails' && attempt === 3) await gate.promise
        if (name === 'fails' || attempt < 3) fail()
      })
      const options = { attempts: 3, backoff: { type: 'fixed', delay: 100 } } as const
      await queue.add('recovers', 1, options)
      await until(
        () => story.of('failed').length === 1,
        'the first failure',
        () => story.tally(),
      )
      await look()
      await completed(1)
      await look()
      await queue.add('fails', 1, options)
      await until(
        () => story.of('failed').length === 4,
        'two failures',
        () => story.tally(),
      )
      await look()
      gate.resolve()
      await died(1)
      expect(seen).to.deep.equal(Array.from({ length: 9 }, () => 0))
      expect((await all()).map(({ name }) => name)).to.deep.equal(['fails'])
    },
  },
  {
    id: 'DLQ-03',
    title: 'with one attempt and with several, at once and delayed, with backoff and without: dead once, and never again run',
    run: async ({ queue, work, story, died, features, exactly, deadLetters: all }) => {
      await work(fail, { concurrency: 3 })
      const backoff = { type: 'exponential', delay: 20 } as const
      const kinds = [{}, { attempts: 1, backoff }, { attempts: 2 }, { attempts: 4, backoff }]
      const delayed = features.delay ? kinds.map((options) => ({ ...options, delay: 60 })) : []
      const jobs = [...kinds, ...delayed].map((options, i) => ({ name: 'a', data: i, options: { ...options, id: `kind-${i}` } }))
      const receipts = await queue.addMany(jobs)
      await died(jobs.length)
      await quiet(200, 'another run', () => story.tally())
      const letters = await all()
      exactly(
        receipts.map(({ uid }) => uid!),
        letters.map(({ uid }) => uid),
        'dead letters',
      )
      exactly(
        receipts.map(({ id }) => id),
        story.ids('dead'),
        'deaths',
      )
      for (const { options } of jobs) {
        const { attempts = 1 } = options as { attempts?: number }
        expect(
          letters.find(({ id }) => id === options.id),
          options.id,
        ).to.include({ attempt: attempts, attempts, reason: 'attempts' })
        expect(story.of('active', options.id), options.id).to.have.length(attempts)
      }
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: jobs.length })
    },
  },
  {
    id: 'DLQ-04',
    title: 'an unrecoverable error leads there at once, on whichever run, and the letter says so',
    run: async ({ queue, work, story, died }) => {
      await work(({ id, attempt }) => {
        if (id === 'second' && attempt === 1) fail()
        throw new UnrecoverableError(`card of ${id} expired`)
      })
      for (const id of ['first', 'second']) await queue.add('pay', { id }, { id, attempts: 5 })
      await died(2)
      await quiet(100, 'another run', () => story.tally())
      for (const [id, attempt] of [
        ['first', 1],
        ['second', 2],
      ] as const) {
        const letter = (await queue.deadLetters.get(id))!
        expect(letter).to.deep.include({ reason: 'unrecoverable', attempt, attempts: 5, data: { id } })
        expect(letter.error).to.include({ name: 'UnrecoverableError', message: `card of ${id} expired` })
        expect(story.of('active', id)).to.have.length(attempt)
        expect(story.of('dead', id).map(({ reason }) => reason)).to.deep.equal(['unrecoverable'])
      }
    },
  },
  {
    id: 'DLQ-05',
    title: 'a job of unknown name and one that cannot be read lead there without a run; their neighbours flow on',
    run: async ({ queue, harness, work, story, completed, died, untested, deadLetters: all }) => {
      const start = Date.now()
      await queue.add('known', 1)
      await queue.add('stranger', { kept: true }, { id: 'stranger', attempts: 9, headers: { h: '1' } })
      await harness.corrupt?.(queue.name)
      await queue.add('known', 2)
      await work({ known: () => 1 })
      await died(harness.corrupt ? 2 : 1)
      await queue.add('known', 3)
      await completed(3)
      await quiet(200, 'more events', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 3, completed: 3, dead: harness.corrupt ? 2 : 1 })
      const stranger = await queue.deadLetters.get('stranger')
      expect(stranger).to.deep.include({
        name: 'stranger',
        data: { kept: true },
        headers: { h: '1' },
        reason: 'unknown',
        attempt: 1,
        attempts: 9,
      })
      expect(stranger!.error!.message).to.include('stranger')
      if (!harness.corrupt) return void untested.push('a record that cannot be read: the harness has no way to write one')
      const others = (await all()).filter(({ id }) => id !== 'stranger')
      expect(others.map(({ state, reason }) => [state, reason])).to.deep.equal([['dead', 'invalid']])
      const [letter] = others as [JobView]
      const { uid, data, error, diedAt } = letter
      expect(data).to.be.a('string')
      expect(error!.message).to.be.a('string').that.is.not.empty
      expect(diedAt!.getTime()).to.be.within(start - SKEW, Date.now() + SKEW)
      expect(await queue.deadLetters.get(letter.id)).to.deep.include({ uid, data, error, diedAt })
      await queue.deadLetters.redrive(letter.id)
      await died(3)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 2 })
      expect(await queue.deadLetters.remove(letter.id)).to.equal(true)
      expect((await all()).map(({ id }) => id)).to.deep.equal(['stranger'])
    },
  },
  {
    id: 'DLQ-12',
    title: 'when the dead event comes, get, list and counts already show the letter, to every client',
    run: async ({ queue, work, broker, died }) => {
      const looks: Promise<unknown>[] = []
      const worker = await work(fail, { concurrency: 5 })
      const other = broker().queue(queue.name)
      await other.counts()
      worker.on('dead', ({ id, uid }) => {
        for (const { deadLetters } of [queue, other]) {
          looks.push(deadLetters.get(id).then((letter) => `${id} ${letter?.uid === uid}`))
          looks.push(deadLetters.list({ limit: 1_000 }).then(({ jobs }) => `${id} ${jobs.some((job) => job.uid === uid)}`))
        }
      })
      const ids = Array.from({ length: 30 }, (_, i) => `end-${i}`)
      await queue.addMany(ids.map((id, i) => ({ name: 'a', data: i, options: { id, attempts: 1 + (i % 2) } })))
      await died(30)
      const expected = ids.flatMap((id) => Array.from({ length: 4 }, () => `${id} true`))
      expect(await Promise.all(looks)).to.have.members(expected)
      expect(await queue.counts()).to.include({ dead: 30 })
    },
  },
  {
    id: 'DLQ-13',
    title: "each queue has its own dead letters, even if it is named as another's might be",
    run: async ({ queue, another, kin, work, died, completed }) => {
      const queues = [queue, another('other'), ...['.dead', '-dead', '.dlq', '.failed'].map(kin)]
      let broken = true
      for (const each of queues) await work(() => void (broken && fail()), {}, { queue: each.name })
      const receipts = await Promise.all(queues.map((each) => each.add('a', each.name, { id: 'same' })))
      await died(queues.length)
      for (const [i, each] of queues.entries()) {
        expect((await each.deadLetters.list()).jobs.map(({ uid, queue: of, data }) => [uid, of, data])).to.deep.equal([
          [receipts[i]!.uid, each.name, each.name],
        ])
        expect(await each.deadLetters.get('same')).to.include({ uid: receipts[i]!.uid })
      }
      broken = false
      const [first, second, ...rest] = queues
      expect(await first!.deadLetters.purge()).to.equal(1)
      await second!.deadLetters.redrive('same')
      await completed(1)
      const left = await Promise.all(queues.map(async (each) => (await each.counts()).dead))
      expect(left).to.deep.equal([0, 0, ...rest.map(() => 1)])
    },
  },
]
