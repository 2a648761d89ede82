import { UnrecoverableError } from '@jobport/core'
import { expect, quiet, until } from '../assert.ts'
import { fail } from '../fail.ts'
import { patiently, pause } from '../wait.ts'
import type { Case } from '../case.ts'

/** Longer than a run here may take, ms. */
const OVERTIME = 6_000
const TIMEOUT = 100
/** Shorter than the suite would wait for anything, ms. */
const GRACE = 400

/** What ends a run that takes too long. */
export const timeouts: readonly Case[] = [
  {
    id: 'RET-14',
    title: 'a run over its timeout is aborted, and failed when its handler has ended; what that returns then is ignored',
    run: async ({ queue, work, story, completed, died, counted }) => {
      const reasons: unknown[] = []
      let lates = 0
      await work(
        async ({ name }, signal) => {
          if (name === 'quick') return 1
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          reasons.push(signal.reason)
          await pause(50)
          lates++
          return 'too late'
        },
        // of no use to a driver that loses the job's own, however busy the machine
        { timeout: Math.ceil(patiently(2 * OVERTIME)) },
      )
      await queue.add('slow', 1, { timeout: TIMEOUT, attempts: 2 })
      await died(1, OVERTIME)
      expect(lates, 'handlers that had ended when the job was dead').to.equal(2)
      await queue.add('quick', 1)
      await completed(1)
      await quiet(100, 'an event of the late result', () => story.tally())
      expect(story.ids('completed')).to.have.length(1)
      expect(story.of('failed').map(({ error }) => (error as { code?: string }).code)).to.deep.equal(['TIMEOUT', 'TIMEOUT'])
      expect(reasons[0]).to.have.property('code', 'TIMEOUT')
      await counted({ dead: 1, active: 0, waiting: 0 })
      expect((await queue.deadLetters.list()).jobs[0]).to.include({ reason: 'attempts' })
      expect(story.errors).to.deep.equal([])
    },
  },
  {
    id: 'RET-19',
    title:
      'what a handler throws because its run was aborted counts: an UnrecoverableError makes the job dead, others are the failure',
    run: async ({ queue, work, story, died }) => {
      await work(async ({ name }, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw name === 'hopeless' ? new UnrecoverableError('half done, and no way back') : new RangeError('cut short')
      })
      await queue.add('hopeless', 1, { id: 'hopeless', timeout: TIMEOUT, attempts: 5 })
      await queue.add('other', 1, { id: 'other', timeout: TIMEOUT, attempts: 2 })
      await died(2, OVERTIME)
      expect(story.of('active', 'hopeless')).to.have.length(1)
      expect(await queue.deadLetters.get('hopeless')).to.include({ reason: 'unrecoverable', attempt: 1 })
      expect((await queue.deadLetters.get('hopeless'))!.error!.message).to.equal('half done, and no way back')
      expect(story.of('active', 'other').map(({ attempt }) => attempt)).to.deep.equal([1, 2])
      expect((await queue.deadLetters.get('other'))!.error).to.include({ name: 'RangeError', message: 'cut short' })
    },
  },
  {
    id: 'RET-20',
    title:
      'a handler that ignores its signal keeps its slot for the grace, and no run of the job begins before; then an error names it',
    run: async ({ queue, work, story, completed, counted }) => {
      const spans: { name: string; from: number; until: number }[] = []
      let running = 0
      let peak = 0
      const gate = Promise.withResolvers<void>()
      await work(
        async ({ name, attempt }) => {
          peak = Math.max(peak, ++running)
          const span = { name: `${name} ${attempt}`, from: performance.now(), until: Infinity }
          spans.push(span)
          if (name === 'deaf' && attempt === 1) await pause(TIMEOUT + GRACE / 2)
          if (name === 'stone deaf' && attempt === 1) await gate.promise
          running--
          span.until = performance.now()
        },
        { timeout: TIMEOUT, abortGrace: GRACE },
      )
      await queue.add('deaf', 1, { id: 'deaf', attempts: 2 })
      await completed(1, OVERTIME)
      expect(story.errors, 'errors of a handler that ended within the grace').to.deep.equal([])
      expect(story.of('failed', 'deaf').map(({ error }) => (error as { code?: string }).code)).to.deep.equal(['TIMEOUT'])
      expect(peak, 'runs at once while handlers end within the grace').to.equal(1)

      const before = performance.now()
      await queue.add('stone deaf', 1, { id: 'stone-deaf', attempts: 2 })
      await queue.add('next', 1, { id: 'next' })
      await completed(3, OVERTIME)
      const others = spans.filter(({ name, from }) => from > before && name !== 'stone deaf 1')
      expect(others.map(({ name }) => name)).to.have.members(['stone deaf 2', 'next 1'])
      const first = spans.find(({ name }) => name === 'stone deaf 1')!
      for (const { name, from } of others)
        expect(from - first.from, `${name} began after, ms`).to.be.at.least(TIMEOUT + GRACE - 20)
      await until(
        () => story.errors.length > 0,
        'an error event',
        () => story.tally(),
      )
      expect(story.errors[0]!.message).to.include('stone deaf')
      gate.resolve()
      await until(
        () => first.until < Infinity,
        'the end of the late handler',
        () => spans,
      )
      await quiet(100, 'an event of the late end', () => story.tally())
      expect(story.ids('completed')).to.have.members(['deaf', 'stone-deaf', 'next'])
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'RET-21',
    title: 'a synchronous handler, and one that fails before its timeout, are none of its business',
    run: async ({ queue, work, story, died, completed }) => {
      await work({ quick: () => 1, fails: fail }, { timeout: OVERTIME })
      await queue.add('quick', 1, { timeout: 1 })
      await queue.add('fails', 1, { timeout: TIMEOUT })
      await died(1)
      await completed(1)
      await quiet(2 * TIMEOUT, 'an event of the clock', () => story.tally())
      expect(story.of('failed').map(({ error }) => error!.message)).to.deep.equal(['no'])
    },
  },
]
