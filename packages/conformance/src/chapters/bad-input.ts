import { defineJob, type AddOptions, type Broker, type Queue } from '@jobport/core'
import { expect, refusal, until } from '../assert.ts'
import { intercepted, type Method } from '../intercepted.ts'
import type { Json } from '@jobport/core/driver'
import type { ServerInfo } from '@jobport/core/driver'
import type { Case } from '../case.ts'
import type { AnyJobs, Context } from '../context.ts'

const LEAD = '\ud83d'

/** Each bad value gets the same typed error on all brokers, before any I/O; each good one beside it works. */
export const badInput: readonly Case[] = [
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
        `a${LEAD}`,
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
        `a${LEAD}`,
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
        `a${LEAD}`,
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
        surrogate: `a${LEAD}`,
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
      for (const key of [`a${LEAD}`, 'a\0']) await refusal(queue.add('a', { [key]: 1 }), 'INVALID_ARGUMENT')
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
  {
    id: 'BAD-06',
    title: 'options out of range are refused, by their name, when they are given',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      const whole = [0, -1, 1.5, NaN, Infinity, '1', null, 2 ** 53, {}]
      const table: Record<string, readonly unknown[]> = {
        attempts: whole,
        timeout: whole,
        deadline: whole,
        delay: [NaN, Infinity, -Infinity, '5', null, {}, 1e300],
        at: [0, '2030-01-01', new Date(NaN), null, {}],
        priority: [-1, 10, 1.5, NaN, '1', null],
        dedup: [
          1,
          null,
          {},
          { ttl: 0 },
          { ttl: 999 },
          { ttl: NaN },
          { ttl: '1000' },
          { ttl: undefined },
          { ttl: Infinity },
          { ttl: 1_000, mode: 'x' },
        ],
        backoff: [
          1_000,
          'fixed',
          null,
          {},
          { type: 'fixed' },
          { delay: 1 },
          { type: 'linear', delay: 1 },
          { type: 'fixed', delay: -1 },
          { type: 'fixed', delay: NaN },
          { type: 'exponential', delay: 1, max: -1 },
          { type: 'fixed', delay: 1, jitter: 1.1 },
          { type: 'fixed', delay: 1, jitter: -0.1 },
          { type: 'fixed', delay: 1, factor: 2 },
        ],
      }
      for (const [option, values] of Object.entries(table)) {
        if ((option === 'delay' && !ctx.features.delay) || (option === 'dedup' && !ctx.features.dedup)) continue
        for (const value of values) {
          const options = { id: 'x', [option]: value } as AddOptions
          const error = await refusal(queue.add('a', 1, options), 'INVALID_ARGUMENT')
          expect(error.message).to.include(option)
          await refusal(queue.addMany([{ name: 'a', data: 1, options }]), 'INVALID_ARGUMENT')
          if (option === 'attempts' || option === 'backoff' || option === 'priority' || option === 'timeout') {
            await refusal(() => broker.queue('q', { defaults: { [option]: value } }), 'INVALID_ARGUMENT')
          }
        }
      }
      for (const [option, values] of Object.entries({
        concurrency: whole,
        timeout: whole,
        crashLimit: [-1, 1.5, '3', null],
        backoff: [1, {}, null],
        middleware: [1, [1], () => 1],
      })) {
        for (const value of values) await refusal(() => broker.worker('q', () => 1, { [option]: value }), 'INVALID_ARGUMENT')
      }
      for (const options of [null, [], 'x', new Map([['attempts', 2]]), Object.create({ attempts: 2 })])
        await refusal(queue.add('a', 1, options as AddOptions), 'INVALID_ARGUMENT')
      for (const limit of [0, -1, 1.5, 1_001, '10', null])
        await refusal(queue.deadLetters.list({ limit: limit as number }), 'INVALID_ARGUMENT')
      if (ctx.features.inspect) await refusal(queue.list('waiting', { cursor: 1 as unknown as string }), 'INVALID_ARGUMENT')
      await refusal(queue.list('failed' as 'dead'), 'INVALID_ARGUMENT')
      await refusal(queue.deadLetters.redrive('x', { attempts: 0 }), 'INVALID_ARGUMENT')
      for (const timeout of [-1, NaN, '1']) await refusal(() => broker.close({ timeout: timeout as number }), 'INVALID_ARGUMENT')
      expect(methods).to.deep.equal([])
    },
  },
  {
    id: 'BAD-07',
    title: 'options that contradict each other are refused, also when they meet by way of defaults',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      const at = new Date(Date.now() + 1_000)
      for (const options of [
        { delay: 5, at },
        { delay: 0, at },
        { dedup: { ttl: 1_000 } },
        { dedup: { ttl: 1_000 }, id: undefined },
      ] as AddOptions[]) {
        await refusal(queue.add('a', 1, options), 'INVALID_ARGUMENT')
        await refusal(queue.addMany([{ name: 'a', data: 1, options }]), 'INVALID_ARGUMENT')
      }
      for (const defaults of [{ id: 'x' }, { delay: 5 }, { at }, { dedup: { ttl: 1_000 } }, { deadline: 5 }]) {
        await refusal(() => broker.queue('q', { defaults } as object), 'INVALID_ARGUMENT')
        await refusal(() => defineJob({ name: 'a', ...defaults }), 'INVALID_ARGUMENT')
      }
      await refusal(queue.add(defineJob({ name: 'a', queue: 'elsewhere' }), 1), 'INVALID_ARGUMENT')
      await refusal(() => broker.worker('q', [defineJob({ name: 'a', queue: 'elsewhere' }).handler(() => 1)]), 'INVALID_ARGUMENT')
      await refusal(
        () => broker.worker('q', [defineJob({ name: 'a' }).handler(() => 1), defineJob({ name: 'a' }).handler(() => 2)]),
        'INVALID_ARGUMENT',
      )
      expect(methods).to.deep.equal([])
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
          LEAD,
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
  {
    id: 'BAD-09',
    title: 'handlers that are none, and unknown options, whose error names the right one',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      for (const bad of [
        undefined,
        null,
        1,
        'a',
        {},
        [],
        { a: undefined },
        { a: 1 },
        { a: { handler: () => 1 } },
        { '': () => 1 },
        [() => 1],
        [null],
        [{}],
        [{ definition: {}, handler: () => 1 }],
        new Map(),
      ]) {
        await refusal(() => broker.worker('q', bad as () => unknown), 'INVALID_ARGUMENT')
      }
      await refusal(() => broker.worker('q', [defineJob({ name: 'a' }).handler(1 as unknown as () => 1)]), 'INVALID_ARGUMENT')
      const adding: Record<string, string> = {
        opts: 'without a wrapper',
        jobId: "Jobport's is id",
        removeOnComplete: 'keep',
        removeOnFail: 'keep',
        repeat: 'do not repeat',
        atempts: "did you mean 'attempts'",
        Priority: "did you mean 'priority'",
        retries: "Jobport's is attempts",
        startAfter: 'at (Date)',
        ttl: 'dedup',
        header: "did you mean 'headers'",
        nonsense: 'known: attempts',
        constructor: 'known: attempts',
      }
      for (const [option, advice] of Object.entries(adding)) {
        await says(queue.add('a', 1, { [option]: undefined }), option, advice)
        await says(queue.addMany([{ name: 'a', data: 1, options: { [option]: 1 } }]), option, advice)
      }
      await says(queue.addMany([{ name: 'a', data: 1, opts: { delay: 5 } } as never]), 'opts', "did you mean 'options'")
      await says(queue.addMany([], { deadlin: 5 } as object), 'deadlin', "did you mean 'deadline'")
      await says(queue.deadLetters.list({ limits: 5 } as object), 'limits', "did you mean 'limit'")
      await says(queue.deadLetters.redrive('x', { attempt: 5 } as object), 'attempt', "did you mean 'attempts'")
      await says(() => broker.queue('q', { defaultJobOptions: {} } as object), 'defaultJobOptions', "Jobport's is defaults")
      await says(() => broker.queue('q', { defaults: { removeOnComplete: true } } as object), 'defaults.removeOnComplete', 'keep')
      await says(() => broker.worker('q', () => 1, { concurency: 5 } as object), 'concurency', "did you mean 'concurrency'")
      await says(
        () => broker.worker('q', () => 1, { maxStalledCount: 5 } as object),
        'maxStalledCount',
        "Jobport's is crashLimit",
      )
      await says(() => ctx.broker({ deadlines: 5 } as object), 'deadlines', "did you mean 'deadline'")
      expect(methods).to.deep.equal([])
    },
  },
]

interface Watched {
  readonly broker: Broker
  readonly queue: Queue<AnyJobs>
  /** What core has called on the driver. */
  readonly methods: readonly Method[]
}

/** A client of its own whose driver's calls are noted, and whose server takes payloads up to `maxPayload` bytes. */
function watched({ harness, broker: open, queue: { name } }: Context, maxPayload?: number): Watched {
  const methods: Method[] = []
  const broker = open(
    {},
    intercepted(harness.createDriver(), (method, call) => {
      methods.push(method)
      const answer = call()
      if (method !== 'connect' || maxPayload === undefined) return answer
      return (answer as Promise<ServerInfo>).then((info): ServerInfo => ({ ...info, maxPayload }))
    }),
  )
  return { broker, queue: broker.queue(name), methods }
}

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

async function says(work: Promise<unknown> | (() => unknown), option: string, advice: string): Promise<void> {
  const { message } = await refusal(work, 'INVALID_ARGUMENT')
  expect(message).to.include(`'${option}'`)
  expect(message).to.include(advice)
}
