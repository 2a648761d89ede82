import { expect, quiet, until } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'
import type { Receipt } from '@jobport/core'

/** Ids that some broker, store or language would read as something else. */
const EDGES = [
  '42',
  '0',
  '-1',
  '1e21',
  '4.0',
  'a:b',
  ':',
  '*',
  '>',
  '.',
  '..',
  'a.b',
  '#',
  '$x',
  '/',
  '\\',
  '{}',
  '{a}',
  '[x]',
  '?',
  '%',
  '%00',
  "'",
  '"',
  ';--',
  ' ',
  ' a ',
  'A',
  'a',
  'é',
  'e\u0301',
  '😀',
  '+41 79 123 45 67',
  'order:42',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'true',
  'x'.repeat(200),
  'é'.repeat(100),
]

const fail = (): never => {
  throw new Error('no')
}

/** One live job per id: what takes an id, and what frees it. */
export const identity: readonly Case[] = [
  {
    id: 'DUP-01',
    title: 'adding an id that is live changes nothing: one job, the first one, and the answer names it',
    run: async ({ queue, work, story, completed }) => {
      const seen: unknown[] = []
      const first = await queue.add('a', 'first', { id: 'x', headers: { h: '1' } })
      expect(first).to.include({ id: 'x', added: true })
      const second = await queue.add('b', 'second', { id: 'x', headers: { h: '2' }, attempts: 9 })
      expect(second).to.include({ id: 'x', added: false })
      if (second.uid !== undefined) expect(second.uid).to.equal(first.uid)
      expect(await queue.counts()).to.deep.equal({ waiting: 1, delayed: 0, active: 0, dead: 0 })
      await work(({ name, data, headers, attempts }) => void seen.push({ name, data, headers, attempts }))
      await completed(1)
      await quiet(150, 'another run', () => story.tally())
      expect(seen).to.deep.equal([{ name: 'a', data: 'first', headers: { h: '1' }, attempts: 1 }])
    },
  },
  {
    id: 'DUP-02',
    title: '100 adds of one id at once, from several clients: one is accepted; among workers, as many runs as acceptances',
    run: async (ctx) => {
      const { queue, work, broker, story, completed, exactly } = ctx
      const receipts = await race(ctx, 'still')
      expect(receipts.filter(({ added }) => added)).to.have.length(1)
      expect(await queue.counts()).to.deep.equal({ waiting: 1, delayed: 0, active: 0, dead: 0 })
      await work(() => 1, { concurrency: 5 })
      await work(() => 1, { concurrency: 5 }, { broker: broker() })
      receipts.push(...(await race(ctx, 'moving')))
      const accepted = receipts.flatMap(({ added, uid }) => (added ? [uid] : []))
      await completed(accepted.length)
      await quiet(150, 'another run', () => story.tally())
      exactly(
        accepted,
        story.of('active').map(({ uid }) => uid),
        'started',
      )
    },
  },
  {
    id: 'DUP-03',
    title: 'an id is free again once its job has completed, died, or was removed',
    run: async ({ queue, work, features, completed, died }) => {
      if (features.cancel) {
        for (const end of [() => queue.remove('x'), () => queue.purge()]) {
          expect(await queue.add('ok', 1, { id: 'x' })).to.include({ added: true })
          await end()
        }
        expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      }
      await work({ ok: () => 1, bad: fail })
      const uids: (string | undefined)[] = []
      const ends = { ok: 0, bad: 0 }
      for (const name of ['ok', 'bad', 'ok', 'bad', 'ok'] as const) {
        const receipt = await queue.add(name, 1, { id: 'x' })
        expect(receipt, `after ${JSON.stringify(ends)}`).to.include({ added: true })
        uids.push(receipt.uid)
        await (name === 'ok' ? completed(++ends.ok) : died(++ends.bad))
      }
      expect(new Set(uids).size).to.equal(5)
      expect(await queue.counts()).to.include({ dead: 2 })
    },
  },
  {
    id: 'DUP-05',
    title: 'removing a dead letter frees nothing that a newer job of the same id holds',
    run: async ({ queue, work, died }) => {
      const worker = await work(fail)
      for (let i = 1; i <= 2; i++) {
        await queue.add('a', i, { id: 'x' })
        await died(i)
      }
      await worker.stop()
      expect(await queue.add('a', 'newer', { id: 'x' })).to.include({ added: true })
      expect(await queue.deadLetters.remove('x')).to.equal(true)
      expect(await queue.add('a', 'twin', { id: 'x' })).to.include({ added: false })
      expect(await queue.deadLetters.purge()).to.equal(1)
      expect(await queue.add('a', 'twin', { id: 'x' })).to.include({ added: false })
      expect(await queue.counts()).to.deep.equal({ waiting: 1, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'DUP-06',
    title: 'an id that stands twice in one addMany is added once, the first; the receipts say which',
    run: async ({ queue, work, completed, story }) => {
      const jobs = ['x', 'y', 'x', 'z', 'x', 'y'].map((id, data) => ({ name: 'a', data, options: { id } }))
      const receipts = await queue.addMany(jobs)
      expect(receipts.map(({ id, added }) => `${id} ${added}`)).to.deep.equal([
        'x true',
        'y true',
        'x false',
        'z true',
        'x false',
        'y false',
      ])
      const seen: unknown[] = []
      await work(({ data }) => void seen.push(data))
      await completed(3)
      await quiet(150, 'another run', () => story.tally())
      expect(seen).to.have.members([0, 1, 3])
    },
  },
  {
    id: 'DUP-07',
    title: 'a delayed job, one that waits for its retry and a redriven one hold their id',
    run: async ({ queue, work, features, story, died, completed, counted }) => {
      if (features.delay) {
        await queue.add('ok', 1, { id: 'later', delay: 600 })
        expect(await queue.add('ok', 2, { id: 'later' })).to.include({ added: false })
      }
      await work({ ok: () => 1, flaky: ({ attempt }) => void (attempt === 1 && fail()), bad: fail })
      await queue.add('flaky', 1, { id: 'flaky', attempts: 2, backoff: { type: 'fixed', delay: 600 } })
      await until(
        () => story.of('failed', 'flaky').length === 1,
        'the first failure',
        () => story.tally(),
      )
      expect(await queue.add('flaky', 2, { id: 'flaky' })).to.include({ added: false })
      await completed(features.delay ? 2 : 1)
      await queue.add('bad', 1, { id: 'risen' })
      await died(1)
      if (features.pause) await queue.pause()
      const { uid } = await queue.deadLetters.redrive('risen')
      if (features.pause) {
        expect(await queue.add('ok', 2, { id: 'risen' })).to.include({ added: false })
        await queue.resume()
      }
      await died(2)
      expect(story.of('dead').map((entry) => entry.uid)[1]).to.equal(uid)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 1 })
    },
  },
  {
    id: 'DUP-08',
    title: 'an id belongs to its queue: the same one may be live in another',
    run: async ({ queue, another, work, completed, story }) => {
      const other = another('other')
      for (const each of [queue, other]) expect(await each.add('a', each.name, { id: 'same' })).to.include({ added: true })
      for (const each of [queue, other]) expect(await each.add('a', each.name, { id: 'same' })).to.include({ added: false })
      for (const { name } of [queue, other]) await work((job) => expect(job.data).to.equal(name), {}, { queue: name })
      await completed(2)
      expect(new Set(story.of('completed').map(({ uid }) => uid)).size).to.equal(2)
    },
  },
  {
    id: 'DUP-11',
    title: 'ids of any shape are told apart and found again: digits, separators, wildcards, Unicode, 200 bytes',
    run: async ({ queue, work, features, completed, exactly, story }) => {
      const first = await queue.addMany(EDGES.map((id) => ({ name: 'a', data: id, options: { id } })))
      expect(first.filter(({ added }) => !added).map(({ id }) => id)).to.deep.equal([])
      const again = await queue.addMany(EDGES.map((id) => ({ name: 'a', data: 'twin', options: { id } })))
      expect(again.filter(({ added }) => added).map(({ id }) => id)).to.deep.equal([])
      expect(await queue.counts()).to.include({ waiting: EDGES.length })
      if (features.inspect) for (const id of EDGES) expect(await queue.get(id), id).to.include({ id, data: id, state: 'waiting' })
      const gone = features.cancel ? EDGES.slice(0, 5) : []
      for (const id of gone) expect(await queue.remove(id), id).to.equal(true)
      const left = EDGES.slice(gone.length)
      const wrong: string[] = []
      await work(({ id, data }) => void (id !== data && wrong.push(id)), { concurrency: 5 })
      await completed(left.length)
      exactly(left, story.ids('active'), 'started')
      expect(wrong).to.deep.equal([])
    },
  },
  {
    id: 'DUP-12',
    title: 'adding the id of a job that runs is refused, and brings no second run after it',
    run: async ({ queue, work, story, completed, counted }) => {
      const gate = Promise.withResolvers<void>()
      await work(() => gate.promise, { concurrency: 3 })
      await queue.add('a', 1, { id: 'x' })
      await counted({ active: 1 })
      expect(await queue.add('a', 2, { id: 'x' })).to.include({ added: false })
      gate.resolve()
      await completed(1)
      await quiet(200, 'a second run', () => story.tally())
      expect(await queue.add('a', 3, { id: 'x' })).to.include({ added: true })
      await completed(2)
    },
  },
]

/** A hundred adds of one id: from other processes where they can reach the broker, else from four clients in this one. */
async function race({ queue, broker, child, harness, features }: Context, id: string): Promise<Receipt[]> {
  if (!harness.remote || !features.durable) {
    const queues = Array.from({ length: 4 }, () => broker().queue(queue.name))
    return Promise.all(Array.from({ length: 100 }, (_, i) => queues[i % 4]!.add('a', i, { id })))
  }
  const children = await Promise.all(Array.from({ length: 4 }, () => child({ role: 'producer' })))
  for (let i = 0; i < 100; i++) children[i % 4]!.add({ name: 'a', data: i, options: { id } })
  const told = (): Receipt[] => children.flatMap((each) => each.of('added').map(({ receipt }) => receipt))
  await until(
    () => told().length === 100,
    '100 receipts',
    () => [told().length, ...children.flatMap((each) => each.of('refused'))],
  )
  await Promise.all(children.map((each) => each.kill()))
  return told()
}
