import { expect, refusal, until } from '../assert.ts'
import { watched } from '../watched.ts'
import type { Json } from '@jobport/core/driver'
import type { Case } from '../case.ts'

/** Half of a pair: no UTF-8 can carry it. */
const LONE = '\ud83d'

/** What is too large, what JSON cannot hold, and what only looks dangerous. */
export const badPayloads: readonly Case[] = [
  {
    id: 'BAD-03',
    title: 'the largest payload is exact, in bytes; one more is refused before it is published, alone or among others',
    run: async (ctx) => {
      const { queue, methods } = watched(ctx, 1_000)
      const fitting = [
        'é'.repeat(499),
        'a'.repeat(998),
        '汉'.repeat(332) + 'ab',
        '😀'.repeat(249) + 'ab',
        '"'.repeat(499),
        { ключ: 'é'.repeat(490) + 'aaaaa' },
      ]
      for (const data of fitting) expect(Buffer.byteLength(JSON.stringify(data)), 'the table').to.be.within(999, 1_000)
      for (const data of [
        'é'.repeat(499) + 'a',
        'a'.repeat(999),
        '"'.repeat(499) + 'a',
        '\u2028'.repeat(333),
        Array.from({ length: 200 }),
        Object.assign([], { length: 201 }),
        { a: 'é'.repeat(500) },
      ]) {
        expect(Buffer.byteLength(JSON.stringify(data)), 'the table').to.be.above(1_000)
        await refusal(queue.add('a', data), 'PAYLOAD_TOO_LARGE')
        await refusal(
          queue.addMany([
            { name: 'a', data: 1 },
            { name: 'a', data },
          ]),
          'PAYLOAD_TOO_LARGE',
        )
      }
      expect(new Set(methods)).to.deep.equal(new Set(['connect']))
      const seen: unknown[] = []
      await ctx.work((job) => void seen.push(job.data))
      for (const data of fitting) await queue.add('a', data)
      await ctx.completed(fitting.length)
      expect(seen).to.have.deep.members(fitting)
    },
  },
  {
    id: 'BAD-04',
    title: 'what JSON cannot hold, or would change without a word, is refused wherever it stands',
    run: async (ctx) => {
      const { queue, methods } = watched(ctx)
      const circular: Record<string, unknown> = {}
      circular['self'] = { again: [circular] }
      let deep: unknown = 1
      for (let i = 0; i < 10_000; i++) deep = i % 2 ? [deep] : { deep }
      const bad: Record<string, unknown> = {
        circular,
        deep,
        bigint: 1n,
        boxed: Object(1n),
        symbol: Symbol('s'),
        function: () => 1,
        NaN,
        infinity: Infinity,
        '-infinity': -Infinity,
        date: new Date(NaN),
        surrogate: `a${LONE}`,
        nul: 'a\0b',
        map: new Map([[1, 2]]),
        set: new Set([1]),
        bytes: new Uint8Array(1),
        buffer: new ArrayBuffer(1),
        promise: Promise.resolve(1),
        regexp: /a/,
        error: new Error('a'),
        toJSON: { toJSON: () => NaN },
      }
      for (const [what, value] of Object.entries(bad)) {
        for (const data of [value, { deep: { [what]: value } }, [1, [value]]])
          await refusal(queue.add('a', data), 'INVALID_ARGUMENT')
        const error = await refusal(
          queue.addMany([
            { name: 'a', data: 1 },
            { name: 'a', data: value },
          ]),
          'INVALID_ARGUMENT',
        )
        expect(error.message).to.include('job 1')
      }
      for (const key of [`a${LONE}`, 'a\0']) await refusal(queue.add('a', { [key]: 1 }), 'INVALID_ARGUMENT')
      expect((await refusal(queue.add('a', { order: { lines: [{}, { price: NaN }] } }), 'INVALID_ARGUMENT')).message).to.include(
        'order.lines[1].price',
      )
      expect(methods).to.deep.equal([])
    },
  },
  {
    id: 'BAD-05',
    title: '__proto__, constructor and toString are data like any other, and pollute nothing',
    run: async ({ queue, work, features }) => {
      const text =
        '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"toString":3,"hasOwnProperty":[{"__proto__":null}],"toJSON":"4"}'
      const headers = { constructor: 'c', valueof: 'v', prototype: 'p' }
      // brokers that store JSON by its meaning keep no order of keys
      const data = JSON.parse(text) as Json
      let seen: unknown[] = []
      await work((job) => {
        seen = [job.data, { ...job.headers }, Object.getPrototypeOf(job.data)]
        throw new Error('into the dead letters')
      })
      await queue.add('constructor', data, { id: '__proto__', headers })
      let dead = await queue.deadLetters.get('__proto__')
      await until(
        async () => (dead = await queue.deadLetters.get('__proto__')) !== undefined,
        'the dead letter',
        () => seen,
      )
      expect(seen).to.deep.equal([data, headers, Object.prototype])
      expect([dead!.data, { ...dead!.headers }, dead!.name]).to.deep.equal([data, headers, 'constructor'])
      if (features.inspect) expect(await queue.get('constructor'), 'an id that nobody gave').to.equal(undefined)
      for (const bad of ['{"__proto__":"x"}', '{"toString":"x"}']) {
        await refusal(queue.add('a', 1, { headers: JSON.parse(bad) as Record<string, string> }), 'INVALID_ARGUMENT')
      }
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined)
    },
  },
]
