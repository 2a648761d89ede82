import { expect, quiet, refusal, until, within } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Job } from '@jobport/core'

/** A job's way from its producer to its end. */
export const lifecycle: readonly Case[] = [
  {
    id: 'LIFE-01',
    title: 'a job comes to its handler with payload, name, headers and id, and completes: 100 of them',
    run: async ({ queue, work, story, completed, exactly }) => {
      const seen: Job[] = []
      await work((job) => void seen.push(job), { concurrency: 5 })
      const receipts = []
      for (let i = 0; i < 100; i++) receipts.push(await queue.add(`kind-${i % 7}`, { i }, { headers: { trace: `t${i}` } }))
      await completed(100)
      await quiet(100, 'another run', () => story.tally())
      exactly(idsOf(receipts), story.ids('completed'), 'completed')
      for (const { id, name, data, headers, queue: on } of seen) {
        const i = receipts.findIndex((receipt) => receipt.id === id)
        expect({ name, data, headers, on }).to.deep.equal({
          name: `kind-${i % 7}`,
          data: { i },
          headers: { trace: `t${i}` },
          on: queue.name,
        })
      }
    },
  },
  {
    id: 'LIFE-02',
    title: 'jobs added before any worker exists run when one starts',
    run: async ({ queue, work, completed, exactly, story }) => {
      const receipts = await queue.addMany([1, 2, 3].map((data) => ({ name: 'early', data })))
      await work(() => 1)
      await completed(3)
      exactly(idsOf(receipts), story.ids('completed'), 'completed')
    },
  },
  {
    id: 'LIFE-03',
    title: 'JSON stays JSON, types kept',
    run: async ({ queue, work, completed }) => {
      const values = [
        1,
        -0.5,
        1e21,
        true,
        'é 😀 \u2028 "\\',
        [],
        [[null]],
        {},
        { a: { b: [1, '1', null, false] } },
        '42',
        Number.MAX_SAFE_INTEGER,
      ]
      const seen: unknown[] = []
      await work((job) => void seen.push(job.data))
      for (const value of values) await queue.add('value', value)
      await completed(values.length)
      expect(seen).to.have.deep.members(values)
    },
  },
  {
    id: 'LIFE-05',
    title: 'empty payloads arrive as they are; undefined arrives as null',
    run: async ({ queue, work, completed }) => {
      const seen = new Map<string, unknown>()
      await work((job) => void seen.set(job.id, job.data))
      const values = { object: {}, zero: 0, false: false, null: null, text: '', undefined: undefined }
      for (const [id, value] of Object.entries(values)) await queue.add('empty', value, { id })
      await completed(6)
      expect(Object.fromEntries(seen)).to.deep.equal({ ...values, undefined: null })
    },
  },
  {
    id: 'LIFE-06',
    title: 'headers arrive unchanged: Unicode, quotes, slashes, blanks at both ends; others are refused',
    run: async ({ queue, work, completed }) => {
      const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')
      const headers = {
        a: '',
        'b-1': ' both ends ',
        c: printable,
        d: 'é ß 汉 😀',
        e: '/\\"\'{}:*>',
        constructor: 'x',
        f: 'x'.repeat(4_096),
      }
      let seen: unknown
      await work((job) => void (seen = job.headers))
      await queue.add('headers', 1, { headers })
      await completed(1)
      expect(seen).to.deep.equal(headers)
      for (const bad of [{ a: 'b\r\nc' }, { a: '\0' }, { 'A:': 'x' }])
        await refusal(queue.add('headers', 1, { headers: bad }), 'INVALID_ARGUMENT')
    },
  },
  {
    id: 'LIFE-07',
    title: 'add gives a non-empty, unique, stable id: 50 at once',
    run: async ({ queue, work, completed, exactly, story }) => {
      const receipts = await Promise.all(Array.from({ length: 50 }, (_, i) => queue.add('a', i)))
      expect(new Set(receipts.map(({ id }) => id)).size).to.equal(50)
      for (const receipt of receipts) expect(receipt).to.include({ added: true, uid: receipt.id })
      await work(() => 1, { concurrency: 10 })
      await completed(50)
      exactly(idsOf(receipts), story.ids('completed'), 'completed')
    },
  },
  {
    id: 'LIFE-08',
    title: 'the handler sees the attempt: 1, 2, 3',
    run: async ({ queue, work, completed, story }) => {
      const attempts: number[] = []
      await work((job) => {
        attempts.push(job.attempt)
        if (job.attempt < 3) throw new Error('not yet')
      })
      await queue.add('flaky', 1, { attempts: 5 })
      await until(
        () => story.of('completed').length > 0 || attempts.length > 5,
        'the end',
        () => attempts,
      )
      expect(attempts).to.deep.equal([1, 2, 3])
      await completed(1)
    },
  },
  {
    id: 'LIFE-10',
    title: 'waiting, active, completed: counts add up at each step',
    run: async ({ queue, work, counted, completed }) => {
      const gate = Promise.withResolvers<void>()
      await queue.addMany([1, 2, 3, 4, 5].map((data) => ({ name: 'a', data })))
      await counted({ waiting: 5, delayed: 0, active: 0, dead: 0 })
      await work(() => gate.promise, { concurrency: 2 })
      await counted({ waiting: 3, active: 2 })
      expect(await queue.counts()).to.deep.equal({ waiting: 3, delayed: 0, active: 2, dead: 0 })
      gate.resolve()
      await completed(5)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'LIFE-11',
    title: 'a job that does not exist is undefined, false or NOT_FOUND, never a crash',
    needs: 'inspect',
    run: async ({ queue }) => {
      expect(await queue.get('nobody')).to.equal(undefined)
      expect(await queue.deadLetters.get('nobody')).to.equal(undefined)
      expect(await queue.deadLetters.remove('nobody')).to.equal(false)
      expect((await refusal(queue.deadLetters.redrive('nobody'), 'NOT_FOUND')).id).to.equal('nobody')
      expect(await queue.list('waiting')).to.deep.equal({ jobs: [] })
      expect(await queue.deadLetters.list()).to.deep.equal({ jobs: [] })
    },
  },
  {
    id: 'LIFE-12',
    title: 'a worker on an empty queue runs nothing and stops at once',
    run: async ({ work, story }) => {
      const worker = await work(() => 1)
      await quiet(200, 'a run', () => story.tally())
      await within(2_000, 'stopping an idle worker', worker.stop())
    },
  },
  {
    id: 'LIFE-13',
    title: 'a producer alone and a consumer alone work',
    run: async ({ broker, queue, work, completed }) => {
      const producer = broker()
      const { id } = await producer.queue(queue.name).add('a', 1)
      await producer.close()
      await work((job) => expect(job.id).to.equal(id), {}, { broker: broker() })
      await completed(1)
    },
  },
  {
    id: 'LIFE-14',
    title: 'queues do not see each other, not even names that differ by case or a dot; the same id may live in both',
    run: async ({ queue, main, name, work, completed, story, counted }) => {
      const stem = name('Iso')
      const twins = [stem, stem.toLowerCase(), `${stem}.x`].map((each) => main.queue(each))
      for (const twin of twins) expect(await twin.add('a', twin.name, { id: 'same' })).to.include({ added: true })
      await work((job) => expect(job.data).to.equal(twins[0]!.name), {}, { queue: twins[0]!.name })
      await completed(1)
      await quiet(100, 'a job of another queue', () => story.tally())
      for (const twin of twins.slice(1)) await counted({ waiting: 1, dead: 0 }, twin)
      expect(await queue.counts()).to.include({ waiting: 0 })
      for (const twin of twins) await twin.drop()
    },
  },
  {
    id: 'LIFE-19',
    title: 'addMany keeps order, takes none and more than any batch, and is refused whole on a bad entry',
    run: async ({ queue, work, completed, exactly, story }) => {
      expect(await queue.addMany([])).to.deep.equal([])
      const receipts = await queue.addMany(
        Array.from({ length: 1_200 }, (_, i) => ({ name: 'a', data: i, options: { id: `m-${i}` } })),
      )
      expect(receipts.map(({ id, added }) => `${id} ${added}`)).to.deep.equal(
        Array.from({ length: 1_200 }, (_, i) => `m-${i} true`),
      )
      await refusal(
        queue.addMany([
          { name: 'a', data: 1 },
          { name: '', data: 2 },
        ]),
        'INVALID_ARGUMENT',
      )
      await work(() => 1, { concurrency: 50 })
      await completed(1_200, 30_000)
      exactly(idsOf(receipts), story.ids('completed'), 'completed')
    },
  },
  {
    id: 'LIFE-22',
    title: "the handler's signal fires after the job is settled, not before",
    run: async ({ queue, work, story, completed }) => {
      const signals: AbortSignal[] = []
      const during: boolean[] = []
      await work(async (_job, signal) => {
        signals.push(signal)
        await new Promise((resolve) => setTimeout(resolve, 50))
        during.push(signal.aborted)
      })
      await queue.add('a', 1)
      await completed(1)
      expect(during).to.deep.equal([false])
      await until(
        () => signals[0]!.aborted,
        'the signal',
        () => story.tally(),
      )
    },
  },
  {
    id: 'LIFE-24',
    title: 'events come once per transition, and only after a reader can see it',
    run: async ({ queue, work, story, completed, died }) => {
      const seen: Promise<unknown>[] = []
      const worker = await work(({ name, attempt }) => {
        if (name === 'flaky' && attempt === 1) throw new Error('once')
        if (name === 'doomed') throw new Error('always')
      })
      const look = (): void => void seen.push(queue.counts())
      worker.on('completed', look)
      worker.on('dead', look)
      await queue.add('fine', 1)
      await completed(1)
      await Promise.all(seen)
      await queue.add('flaky', 1, { attempts: 2 })
      await completed(2)
      await Promise.all(seen)
      await queue.add('doomed', 1, { attempts: 2 })
      await died(1)
      await quiet(100, 'another event', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 5, completed: 2, failed: 3, dead: 1 })
      expect(await Promise.all(seen)).to.deep.equal([
        { waiting: 0, delayed: 0, active: 0, dead: 0 },
        { waiting: 0, delayed: 0, active: 0, dead: 0 },
        { waiting: 0, delayed: 0, active: 0, dead: 1 },
      ])
    },
  },
  {
    id: 'LIFE-25',
    title: 'what the caller or a handler does to its object never reaches the queue or the next attempt',
    run: async ({ queue, work, completed }) => {
      const data = { list: [1], nested: { n: 1 } }
      const seen: unknown[] = []
      await work((job) => {
        const mine = job.data as typeof data
        seen.push(structuredClone(mine))
        mine.list.push(99)
        mine.nested.n = 99
        if (job.attempt === 1) throw new Error('again')
      })
      const adding = queue.add('a', data, { attempts: 2 })
      data.list.push(5)
      data.nested.n = 5
      await adding
      await completed(1)
      expect(seen).to.deep.equal([
        { list: [1], nested: { n: 1 } },
        { list: [1], nested: { n: 1 } },
      ])
    },
  },
]

function idsOf(receipts: readonly { readonly id: string }[]): string[] {
  return receipts.map(({ id }) => id)
}
