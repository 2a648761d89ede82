import { UnrecoverableError } from '@jobport/core'
import { expect, quiet, refusal, until } from '../assert.ts'
import { fail } from '../fail.ts'
import { operate, planOf } from '../mix.ts'
import type { Case } from '../case.ts'

/** What a keeper does with dead letters, and whether the sum is right in the end. */
export const redrive: readonly Case[] = [
  {
    id: 'DLQ-07',
    title: 'list shows the newest first, in pages that stay steady while jobs die and letters go; remove takes one, purge all',
    run: async ({ queue, work, died, counted, exactly, deadLetters: all }) => {
      const worker = await work(fail)
      const old = Array.from({ length: 25 }, (_, i) => ({ name: 'a', data: i, options: { id: `old-${i}` } }))
      await queue.addMany(old)
      await died(25)
      const letters = queue.deadLetters
      const first = await letters.list({ limit: 10 })
      expect(first.jobs).to.have.length(10)
      for (const i of [1, 2, 3]) {
        const before = Date.now()
        await until(
          () => Date.now() > before,
          'the clock goes on',
          () => before,
        )
        await queue.add('a', i, { id: `new-${i}` })
        await died(25 + i)
      }
      const [shown, last] = [first.jobs[4]!.id, first.jobs.at(-1)!.id]
      for (const id of [shown, last]) expect(await letters.remove(id), id).to.equal(true)
      const seen = [...first.jobs]
      for (let { cursor } = first; cursor !== undefined; ) {
        const page = await letters.list({ limit: 10, cursor })
        expect(page.jobs.length).to.be.at.most(10)
        seen.push(...page.jobs)
        cursor = page.cursor
      }
      exactly(
        old.map(({ options }) => options.id),
        seen.map(({ id }) => id),
        'on the pages',
      )
      const deaths = seen.map(({ diedAt }) => diedAt!.getTime())
      expect(deaths).to.deep.equal(deaths.toSorted((a, b) => b - a))
      const newest = (await letters.list({ limit: 3 })).jobs.map(({ id }) => id)
      expect(newest).to.deep.equal(['new-3', 'new-2', 'new-1'])

      expect(await letters.remove(last)).to.equal(false)
      expect(await letters.remove('unknown')).to.equal(false)
      expect(await letters.get(last)).to.equal(undefined)
      expect(await queue.counts()).to.include({ dead: 26 })
      await worker.stop()
      expect(await queue.add('live', 1, { id: last })).to.include({ added: true })
      expect(await letters.remove(last), 'a live job').to.equal(false)
      expect(await letters.purge()).to.equal(26)
      expect(await letters.purge()).to.equal(0)
      expect(await all()).to.deep.equal([])
      await counted({ waiting: 1, dead: 0 })
    },
  },
  {
    id: 'DLQ-08',
    title: 'redrive of one and of all: live again once, dead no more; not if the id is live; what fails again is dead again',
    run: async ({ queue, work, story, died, completed, deadLetters: all }) => {
      let broken = true
      const seen: unknown[] = []
      const gate = Promise.withResolvers<void>()
      await work(
        async (job) => {
          if (job.name === 'holds') return gate.promise
          if (broken) fail()
          seen.push({ name: job.name, id: job.id, uid: job.uid, data: job.data, headers: job.headers, attempts: job.attempts })
        },
        { concurrency: 5 },
      )
      const letters = queue.deadLetters
      const first = await queue.add('one', { n: 1 }, { id: 'one', attempts: 2, headers: { h: '1' } })
      await died(1)
      expect((await all()).map(({ uid }) => uid)).to.deep.equal([first.uid])
      const again = await letters.redrive('one', { attempts: 3 })
      await died(2)
      expect(again).to.include({ id: 'one', added: true })
      expect((await all()).map(({ uid, attempt, attempts }) => ({ uid, attempt, attempts }))).to.deep.equal([
        { uid: again.uid, attempt: 3, attempts: 3 },
      ])
      expect(story.of('active').map(({ uid, attempt }) => `${attempt} ${uid === first.uid}`)).to.deep.equal([
        '1 true',
        '2 true',
        '1 false',
        '2 false',
        '3 false',
      ])
      broken = false
      const { uid } = await letters.redrive('one')
      await completed(1)
      await quiet(100, 'another run', () => story.tally())
      expect(seen).to.deep.equal([{ name: 'one', id: 'one', uid, data: { n: 1 }, headers: { h: '1' }, attempts: 3 }])
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      for (const id of ['one', 'unknown']) await refusal(letters.redrive(id), 'NOT_FOUND')

      broken = true
      await queue.addMany(Array.from({ length: 110 }, (_, i) => ({ name: 'many', data: i, options: { id: `many-${i}` } })))
      await died(112)
      const dead = (await letters.get('many-7'))!
      await queue.add('holds', 1, { id: 'many-7' })
      await until(
        () => story.of('active', 'many-7').length === 2,
        'its start',
        () => story.tally(),
      )
      await refusal(letters.redrive('many-7'), 'DUPLICATE')
      expect(await letters.redriveAll()).to.deep.equal({ redriven: 109, skipped: 1 })
      await died(221)
      expect(await letters.get('many-7')).to.deep.equal(dead)
      expect(new Set((await all()).map(({ uid: each }) => each)).size).to.equal(110)
      broken = false
      gate.resolve()
      await completed(2)
      expect(await letters.redriveAll()).to.deep.equal({ redriven: 110, skipped: 0 })
      await completed(112)
      await quiet(100, 'another run', () => story.tally())
      expect(new Set(story.of('completed').map(({ uid: each }) => each)).size).to.equal(112)
      expect(await letters.redriveAll()).to.deep.equal({ redriven: 0, skipped: 0 })
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'DLQ-09',
    title: 'accepted = completed + dead + removed + live, after a random mix of everything by several hands',
    run: async (ctx) => {
      const { broker, queue, random, work, story, counted, conserved } = ctx
      const handler = (): void => {
        const draw = random()
        if (draw < 0.15) throw new UnrecoverableError('no')
        if (draw < 0.5) fail()
      }
      for (let i = 0; i < 2; i++) await work(handler, { concurrency: 3 }, { broker: broker() })
      const plans = Array.from({ length: 3 }, () => planOf(120, random, ctx.features))
      const tallies = await Promise.all(plans.map((plan) => operate(broker().queue(queue.name), plan)))
      await counted({ waiting: 0, delayed: 0, active: 0 })
      const told = (): boolean => story.of('active').length === story.of('completed').length + story.of('failed').length
      await until(told, 'an end of every run', () => story.tally())
      const accepted = tallies.flatMap((tally) => tally.accepted)
      await conserved(
        accepted,
        tallies.reduce((sum, { removed }) => sum + removed, 0),
      )
      const ran = story.of('completed').map(({ uid }) => uid)
      expect(ran.length, 'completions').to.equal(new Set(ran).size)
      expect(
        tallies.reduce((sum, { redriven }) => sum + redriven, 0),
        'redriven',
      ).to.be.at.least(1)
    },
  },
]
