import { UnrecoverableError } from '@jobport/core'
import { expect, quiet, until, within } from '../assert.ts'
import { fail } from '../fail.ts'
import { REDELIVERY } from './crashes.ts'
import type { Case } from '../case.ts'

export const retry: readonly Case[] = [
  {
    id: 'RET-01',
    title: 'fails once, then succeeds: one completion, at attempt 2',
    run: async ({ queue, work, story, completed }) => {
      await work(({ attempt }) => void (attempt === 1 && fail()))
      await queue.add('a', 1, { attempts: 3 })
      await completed(1)
      await quiet(100, 'another run', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 2, failed: 1, completed: 1 })
      expect(story.of('completed')[0]).to.include({ attempt: 2 })
    },
  },
  {
    id: 'RET-02',
    title: 'attempts 3, 5 and 8: the handler runs just as often, then the job is dead',
    run: async ({ queue, work, story, died }) => {
      await work(fail, { concurrency: 3 })
      for (const attempts of [3, 5, 8]) await queue.add('a', 1, { id: `n-${attempts}`, attempts })
      await died(3)
      for (const attempts of [3, 5, 8]) {
        const runs = story.of('active', `n-${attempts}`).map(({ attempt }) => attempt)
        expect(runs).to.deep.equal(Array.from({ length: attempts }, (_, i) => i + 1))
      }
    },
  },
  {
    id: 'RET-03',
    title: 'without attempts, and with one, a job runs once',
    run: async ({ queue, work, story, died }) => {
      await work(fail)
      await queue.add('a', 1)
      await queue.add('a', 1, { attempts: 1, backoff: { type: 'fixed', delay: 5 } })
      await died(2)
      await quiet(150, 'another run', () => story.tally())
      expect(story.of('active')).to.have.length(2)
      expect(story.of('failed').map(({ retryIn }) => retryIn)).to.deep.equal([null, null])
    },
  },
  {
    id: 'RET-05',
    title: 'UnrecoverableError ends a job at once, by whatever class of that name',
    run: async ({ queue, work, story, died }) => {
      await work(({ data }) => {
        throw data === 1
          ? new UnrecoverableError('bad card')
          : Object.assign(new Error('bad card'), { name: 'UnrecoverableError' })
      })
      await queue.add('a', 1, { attempts: 9 })
      await queue.add('a', 2, { attempts: 9 })
      await died(2)
      await quiet(100, 'another run', () => story.tally())
      expect(story.of('active')).to.have.length(2)
      expect(story.of('dead').map(({ reason }) => reason)).to.deep.equal(['unrecoverable', 'unrecoverable'])
    },
  },
  {
    id: 'RET-06',
    title: 'the error is kept with name, message and stack; what is no Error, circular or huge is kept within bounds',
    run: async ({ queue, work, died }) => {
      const circle: { self?: unknown } = {}
      circle.self = circle
      const thrown: Record<string, unknown> = {
        error: new TypeError('wrong type'),
        text: 'just text',
        nothing: undefined,
        circle,
        huge: new Error('x'.repeat(1e6)),
      }
      await work(({ id }) => {
        throw thrown[id]
      })
      for (const id of Object.keys(thrown)) await queue.add('a', 1, { id })
      await died(5)
      const kept = async (id: string) => (await queue.deadLetters.get(id))!.error!
      expect(await kept('error')).to.include({ name: 'TypeError', message: 'wrong type' })
      expect((await kept('error')).stack).to.include('wrong type')
      expect((await kept('text')).message).to.include('just text')
      expect((await kept('nothing')).message).to.be.a('string')
      expect((await kept('circle')).message).to.include('Circular')
      expect((await kept('huge')).message.length).to.be.within(1_000, 10_000)
    },
  },
  {
    id: 'RET-07',
    title: 'a handler that throws and one that rejects fail alike',
    run: async ({ queue, work, story, died }) => {
      await work({ throws: fail, rejects: () => Promise.reject(new Error('no')) })
      await queue.add('throws', 1)
      await queue.add('rejects', 1)
      await died(2)
      expect(story.of('failed').map(({ error }) => error!.message)).to.deep.equal(['no', 'no'])
    },
  },
  {
    id: 'RET-08',
    title: 'three workers, 100 jobs that each fail twice: nothing is lost',
    run: async ({ queue, work, broker, story, completed, exactly, conserved }) => {
      for (let i = 0; i < 3; i++)
        await work(({ attempt }) => void (attempt < 3 && fail()), { concurrency: 5 }, { broker: broker() })
      const receipts = await queue.addMany(
        Array.from({ length: 100 }, (_, i) => ({ name: 'a', data: i, options: { attempts: 3 } })),
      )
      await completed(100)
      exactly(
        receipts.map(({ id }) => id),
        story.ids('completed'),
        'completed',
      )
      expect(story.of('active')).to.have.length(300)
      await conserved(receipts.map(({ uid }) => uid!))
    },
  },
  {
    id: 'RET-09',
    title: 'what a failed attempt did to payload and headers is invisible to the next',
    run: async ({ queue, work, completed }) => {
      const seen: unknown[] = []
      await work((job) => {
        seen.push(structuredClone([job.data, job.headers]))
        Object.assign(job.data as object, { dirty: true })
        Object.assign(job.headers, { dirty: 'true' })
        if (job.attempt < 3) fail()
      })
      await queue.add('a', { clean: true }, { attempts: 3, headers: { clean: 'yes' } })
      await completed(1)
      expect(seen).to.deep.equal(Array.from({ length: 3 }, () => [{ clean: true }, { clean: 'yes' }]))
    },
  },
  {
    id: 'RET-10',
    title: 'a listener that throws is reported, the job still settles, the worker lives on',
    run: async ({ queue, work, story, died, completed }) => {
      const worker = await work(({ name }) => void (name === 'bad' && fail()))
      for (const event of ['active', 'failed', 'dead', 'completed'] as const) worker.on(event, fail)
      await queue.add('bad', 1)
      await died(1)
      await queue.add('good', 1)
      await completed(1)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 1 })
      expect(story.errors.length).to.be.at.least(4)
    },
  },
  {
    id: 'RET-12',
    title: 'a redriven job starts anew: attempts, crashes and events; with other attempts if told so',
    run: async ({ queue, another, harness, child, work, story, died, completed, deadLetters }) => {
      const broken = { a: true, die: true }
      await work({ a: () => void (broken.a && fail()) })
      const lives = [await queue.add('a', 1, { id: 'again', attempts: 2 })]
      for (const options of [{}, { attempts: 3 }, {}]) {
        await died(lives.length)
        expect((await deadLetters()).map(({ uid }) => uid)).to.deep.equal([lives.at(-1)!.uid])
        if (lives.length === 3) broken.a = false
        lives.push(await queue.deadLetters.redrive('again', options))
      }
      await completed(1)
      expect(new Set(lives.map(({ uid }) => uid)).size, 'uids').to.equal(4)
      const runs = [2, 2, 3, 1].flatMap((count, life) => Array.from({ length: count }, (_, i) => [lives[life]!.uid, i + 1]))
      expect(story.of('active').map(({ uid, attempt }) => [uid, attempt])).to.deep.equal(runs)
      expect(story.of('failed').map(({ retryIn }) => retryIn)).to.deep.equal([0, null, 0, null, 0, 0, null])
      expect(story.tally()).to.deep.equal({ active: 8, failed: 7, dead: 3, completed: 1 })
      if (!harness.remote) return
      const crashed = another('crashed')
      const killed = await child({ role: 'worker', queue: crashed.name })
      await crashed.add('die', 1, { id: 'crashed' })
      await killed.ended()
      expect(killed.end, 'the end of a process that kills itself').to.equal('SIGKILL')
      await work({ die: () => void (broken.die && fail()) }, {}, { queue: crashed.name })
      await died(4, REDELIVERY)
      expect(await crashed.deadLetters.get('crashed')).to.include({ reason: 'attempts', attempt: 1, crashes: 1 })
      broken.die = false
      await crashed.deadLetters.redrive('crashed')
      await completed(2)
      expect(story.of('active', 'crashed').map(({ attempt, crashes }) => [attempt, crashes])).to.deep.equal([
        [1, 1],
        [1, 0],
      ])
      expect(story.ids('stalled')).to.deep.equal(['crashed'])
    },
  },
  {
    id: 'RET-15',
    title: 'a stop in the middle of a run gives the job back: no attempt spent, no event of failure',
    run: async ({ queue, work, story, completed, counted }) => {
      const worker = await work(() => new Promise(() => {}))
      await queue.add('a', 1, { attempts: 2 })
      await until(
        () => story.of('active').length === 1,
        'a start',
        () => story.tally(),
      )
      await worker.stop({ timeout: 20 })
      await counted({ waiting: 1, active: 0 })
      await work(() => 1)
      await completed(1)
      expect(story.tally()).to.deep.equal({ active: 2, completed: 1 })
      expect(story.of('active').map(({ attempt, crashes }) => [attempt, crashes])).to.deep.equal([
        [1, 0],
        [1, 0],
      ])
    },
  },
  {
    id: 'RET-16',
    title: 'attempts mean the same everywhere: a throw costs one, a release, a stop and a free retry cost none',
    run: async ({ queue, take, counted }) => {
      await queue.add('a', 1, { attempts: 9 })
      const seen: string[] = []
      const { driver, deliveries } = await take(1)
      const next = async (): Promise<(typeof deliveries)[number]> => {
        await until(
          () => deliveries.length > 0,
          'the next delivery',
          () => seen,
        )
        const delivery = deliveries.shift()!
        seen.push(`${delivery.attempt}/${delivery.crashes}`)
        return delivery
      }
      await (await next()).settle({ type: 'release' })
      await (await next()).settle({ type: 'again', delay: 0, attempt: 2 })
      await (await next()).settle({ type: 'again', delay: 0, attempt: 2 })
      await (await next()).settle({ type: 'release' })
      await next()
      await within(6_000, 'closing with a job in hand', driver.close())
      const second = await take(1)
      await until(
        () => second.deliveries.length > 0,
        'delivery after a close',
        () => seen,
      )
      const last = second.deliveries[0]!
      expect([...seen, `${last.attempt}/${last.crashes}`]).to.deep.equal(['1/0', '1/0', '2/0', '2/0', '2/0', '2/0'])
      await last.settle({ type: 'complete', result: null })
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'RET-18',
    title: 'random failures: no job starts more often than its attempts, each ends once',
    run: async ({ queue, work, broker, story, random, sound }) => {
      const handler = (): void => void (random() < 0.4 && fail())
      for (let i = 0; i < 2; i++) await work(handler, { concurrency: 5 }, { broker: broker() })
      const jobs = Array.from({ length: 120 }, (_, i) => ({
        name: 'a',
        data: i,
        options: { id: `r-${i}`, attempts: 1 + Math.floor(random() * 4) },
      }))
      const receipts = await queue.addMany(jobs)
      const ends = (): number => story.of('completed').length + story.of('dead').length
      await until(
        () => ends() >= 120,
        '120 ends',
        () => story.tally(),
      )
      await sound(receipts.map(({ id, uid }, i) => ({ type: 'added', id, uid: uid!, attempts: jobs[i]!.options.attempts })))
    },
  },
]
