import { defineJob } from '@jobport/core'
import { expect, refusal, until } from '../assert.ts'
import { watched } from '../watched.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

/** Half of a pair: no UTF-8 can carry it. */
const LONE = '\ud83d'

/** Names, ids and headers: each bad value gets the same typed error on all brokers, before any I/O; each good one beside it works. */
export const badNames: readonly Case[] = [
  {
    id: 'BAD-01',
    title: 'queue names: the grammar is ours, the same everywhere, and what it allows is an ordinary queue',
    run: async (ctx) => {
      const { broker, methods } = watched(ctx)
      for (const bad of [
        '',
        ':',
        '.',
        '*',
        '>',
        '#',
        '/',
        ' ',
        '.a',
        '-a',
        '_a',
        'a:b',
        'a*',
        'a.>',
        'a#',
        'a/b',
        'a\\b',
        'a b',
        ' a',
        'a ',
        'a\r\nb',
        'a\n',
        'a\0',
        '$x',
        '{a}',
        'é',
        `a${LONE}`,
        '__proto__',
        'a'.repeat(101),
        42,
        NaN,
        true,
        null,
        undefined,
        {},
        ['a'],
        Object.create(null),
        Symbol('a'),
        () => 'a',
      ]) {
        await refusal(() => broker.queue(bad as string), 'INVALID_ARGUMENT')
        await refusal(() => broker.worker(bad as string, () => 1), 'INVALID_ARGUMENT')
        if (bad !== undefined) await refusal(() => defineJob({ name: 'a', queue: bad as string }), 'INVALID_ARGUMENT')
      }
      expect(methods).to.deep.equal([])
      for (const name of [ctx.name('amq.x'), ctx.name('constructor'), ctx.name('A-_.9'), ctx.name('a').padEnd(100, 'x')])
        await isOrdinary(name, ctx)
    },
  },
  {
    id: 'BAD-02',
    title: 'job names and ids: what the grammar refuses never leaves, what it allows comes back as it was',
    run: async (ctx) => {
      const { queue, methods } = watched(ctx)
      for (const bad of [
        '',
        ' a',
        'a ',
        '\u00a0a',
        'a\tb',
        'a\r\nb',
        'a\0',
        '\x7f',
        `a${LONE}`,
        'a'.repeat(101),
        42,
        null,
        undefined,
        {},
        [],
        Object.create(null),
        Symbol('a'),
      ]) {
        await refusal(queue.add(bad as string, 1), 'INVALID_ARGUMENT')
        await refusal(
          queue.addMany([
            { name: 'a', data: 1 },
            { name: bad as string, data: 1 },
          ]),
          'INVALID_ARGUMENT',
        )
        await refusal(() => defineJob({ name: bad as string }), 'INVALID_ARGUMENT')
      }
      for (const bad of [
        '',
        'a\n',
        'a\0',
        '\x1f',
        '\u0085',
        `a${LONE}`,
        'a'.repeat(201),
        `a${'é'.repeat(100)}`,
        '😀'.repeat(51),
        42,
        1e21,
        null,
        {},
        [],
        Symbol('a'),
      ]) {
        const id = bad as string
        await refusal(queue.add('a', 1, { id }), 'INVALID_ARGUMENT')
        const { deadLetters } = queue
        for (const look of [
          queue.get(id),
          queue.remove(id),
          deadLetters.get(id),
          deadLetters.remove(id),
          deadLetters.redrive(id),
        ]) {
          await refusal(look, 'INVALID_ARGUMENT')
        }
      }
      expect(methods).to.deep.equal([])
      await names(['a', 'send mail', '__proto__', 'constructor', '*', 'a.>', 'a:b/c#{d}', 'é 😀', 'a'.repeat(100)], ctx)
      await ids(
        [
          '42',
          '-1',
          'a:b',
          '*',
          '>',
          '#',
          'a.b',
          '1e21',
          '{}',
          '{a}b',
          ' a ',
          '__proto__',
          'constructor',
          '+41 79',
          '\u2028',
          'A',
          'Á',
          'a'.repeat(200),
          'é'.repeat(100),
          '😀'.repeat(50),
        ],
        ctx,
      )
    },
  },
  {
    id: 'BAD-08',
    title: 'headers: names and values out of the grammar, our prefix, too many, too large',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h-${i}`, '']))
      for (const bad of [
        ...['', 'A', 'a:b', 'a b', 'a\r\nb', 'a_b', 'é', 'a.b', 'jobport-', 'jobport-uid', 'a'.repeat(65)].map((name) => ({
          [name]: 'x',
        })),
        ...[
          'a\r\nb',
          'a\n',
          '\0',
          '\t',
          '\x7f',
          '\u0085',
          LONE,
          'x'.repeat(4_097),
          'é'.repeat(2_049),
          1,
          true,
          null,
          undefined,
          {},
          ['x'],
        ].map((value) => ({ a: value })),
        many,
        null,
        [],
        ['x'],
        'a',
        1,
        new Map([['a', 'x']]),
        new Headers({ a: 'x' }),
        Object.create({ a: 'x' }),
      ]) {
        const headers = bad as Record<string, string>
        await refusal(queue.add('a', 1, { headers }), 'INVALID_ARGUMENT')
        await refusal(() => broker.queue('q', { defaults: { headers } }), 'INVALID_ARGUMENT')
      }
      expect(methods).to.deep.equal([])
      const headers = {
        ...Object.fromEntries(Object.entries(many).slice(0, 64)),
        ['h-0']: 'é'.repeat(2_048),
        ['h-1']: ' *>#{}:$ ',
      }
      let seen: unknown
      await ctx.work((job) => void (seen = { ...job.headers }))
      await queue.add('a', 1, { headers })
      await ctx.completed(1)
      expect(seen).to.deep.equal(headers)
    },
  },
]

/** Jobs added under `name` run there, and nowhere else. */
async function isOrdinary(name: string, { main, work, story }: Context): Promise<void> {
  const queue = main.queue(name)
  const { id } = await queue.add('a', name)
  await work((job) => expect(job.data).to.equal(name), {}, { queue: name })
  await until(
    () => story.of('completed', id).length === 1,
    `a job on ${name}`,
    () => story.tally(),
  )
  expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
}

/** Jobs of these names come to the handler of their name. */
async function names(all: readonly string[], { another, work, story }: Context): Promise<void> {
  const queue = another('names')
  const seen: string[] = []
  await work(Object.fromEntries(all.map((name) => [name, () => void seen.push(name)])), {}, { queue: queue.name })
  for (const name of all) await queue.add(name, 1)
  await until(
    () => story.entries.filter(({ event }) => event === 'completed' || event === 'dead').length === all.length,
    'all names',
    () => story.tally(),
  )
  expect(seen).to.have.members(all)
  expect(story.of('completed').map(({ name }) => name)).to.have.members(all)
}

/** Jobs of these ids are each taken once, found, and run. */
async function ids(all: readonly string[], { another, work, story, features, exactly }: Context): Promise<void> {
  const queue = another('ids')
  for (const id of all) expect(await queue.add('id', id, { id })).to.include({ id, added: true })
  for (const id of all) expect(await queue.add('id', 'another', { id })).to.include({ id, added: false })
  if (features.inspect) for (const id of all) expect(await queue.get(id)).to.include({ id, data: id })
  if (features.cancel) {
    expect(await queue.remove(all[0]!)).to.equal(true)
    expect(await queue.add('id', all[0], { id: all[0]! })).to.include({ added: true })
  }
  const wrong: unknown[] = []
  await work(({ id, data }) => void (id === data || wrong.push([id, data])), {}, { queue: queue.name })
  const done = (): string[] =>
    story
      .of('completed')
      .filter(({ name }) => name === 'id')
      .map(({ id }) => id)
  await until(
    () => done().length >= all.length,
    'all ids',
    () => story.tally(),
  )
  exactly(all, done(), 'completed')
  expect(wrong).to.deep.equal([])
}
