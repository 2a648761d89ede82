import * as fc from 'fast-check'
import { runInNewContext } from 'node:vm'
import { JobportError, UnrecoverableError } from '@jobport/core'

/** Something that a handler throws or returns. Drawn as data, so that a failure can be shown and made smaller; built again for each run. */
export interface Specimen {
  readonly kind: string
  readonly of?: unknown
}

/** Where texts are cut, bytes, and what stands there. */
const CUTS = [256, 4_096, 16_384, 65_536]
const PIECES = ['x', 'é', '汉', '😀', '\ud83d', '\ude00', '\0', '\x1b', '\n', '"', '\\', '\u2028', '\x7f', '\x85']

const bulk = fc
  .tuple(fc.constantFrom(...PIECES), fc.constantFrom(...CUTS), fc.integer({ min: -3, max: 3 }), fc.constantFrom(1, 2, 3, 4, 6))
  .map(([piece, cut, off, width]) => ({ repeat: piece, times: Math.max(0, Math.floor(cut / width) + off) }))
const mixed = fc.string({ unit: fc.oneof(fc.constantFrom(...PIECES), fc.string({ minLength: 1, maxLength: 1 })), maxLength: 40 })

type Text = string | { readonly repeat: string; readonly times: number }

/** Short, odd, or as long as limits are. */
const text: fc.Arbitrary<Text> = fc.oneof({ weight: 3, arbitrary: mixed }, { weight: 1, arbitrary: bulk })

export function textOf(given: Text): string {
  return typeof given === 'string' ? given : given.repeat.repeat(given.times)
}

/** What stands in for a property of an error. */
const property = fc.oneof(
  { weight: 4, arbitrary: text.map((of): Specimen => ({ kind: 'text', of })) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('symbol', 'throws', 'throws undefined', 'nothing', 'bare', 'number', 'bigint', 'absent', 'proxy')
      .map((kind): Specimen => ({ kind })),
  },
)

const error: fc.Arbitrary<Specimen> = fc
  .record({ class: fc.constantFrom('Error', 'TypeError', 'plain'), name: property, message: property, stack: property })
  .map((of) => ({ kind: 'error', of }))

const odd: readonly string[] = [
  'symbol',
  'nothing',
  'null',
  'bare',
  'number',
  'bigint',
  'function',
  'proxy',
  'revoked',
  'cycle',
  'foreign stack',
  'aggregate',
  'cause',
  'lost',
  'closed',
  'hopeless',
  'thenable',
  'inspect',
  'toString',
  'date',
  'frozen',
]

export const thrown: fc.Arbitrary<Specimen> = fc.oneof(
  { weight: 4, arbitrary: error },
  { weight: 3, arbitrary: fc.constantFrom(...odd).map((kind): Specimen => ({ kind })) },
  { weight: 2, arbitrary: text.map((of): Specimen => ({ kind: 'text', of })) },
)

export const returned: fc.Arbitrary<Specimen> = fc.oneof(
  { weight: 3, arbitrary: fc.json({ maxDepth: 3 }).map((of): Specimen => ({ kind: 'json', of })) },
  { weight: 3, arbitrary: text.map((of): Specimen => ({ kind: 'text', of })) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(...odd, 'toJSON', 'toJSON undefined', 'getter', 'deep', 'map', 'nan', 'key', 'sparse')
      .map((kind): Specimen => ({ kind })),
  },
  { weight: 1, arbitrary: fc.constantFrom('large', 'large text').map((kind): Specimen => ({ kind })) },
)

/** The value itself. */
export function make({ kind, of }: Specimen): unknown {
  if (kind === 'error') return errorOf(of as Record<'class' | 'name' | 'message' | 'stack', never>)
  if (kind === 'text') return textOf(of as Text)
  if (kind === 'json') return JSON.parse(of as string) as unknown
  return MAKERS[kind]!()
}

function errorOf(parts: { class: string; name: Specimen; message: Specimen; stack: Specimen }): unknown {
  const target = parts.class === 'plain' ? {} : parts.class === 'TypeError' ? new TypeError('was') : new Error('was')
  for (const key of ['name', 'message', 'stack'] as const) {
    const { kind } = parts[key]
    if (kind === 'absent') continue
    const descriptor = kind.startsWith('throws') ? { get: thrower(kind) } : { value: make(parts[key]) }
    Object.defineProperty(target, key, { ...descriptor, configurable: true })
  }
  return target
}

function thrower(kind: string): () => never {
  return () => {
    throw (kind === 'throws' ? new Error('a getter that throws') : undefined) as unknown
  }
}

const TRAPS = ['get', 'has', 'getPrototypeOf', 'ownKeys', 'getOwnPropertyDescriptor', 'apply', 'set', 'isExtensible'] as const

const MAKERS: Readonly<Record<string, () => unknown>> = {
  symbol: () => Symbol('s'),
  nothing: () => undefined,
  null: () => null,
  bare: () => Object.create(null) as unknown,
  number: () => 42,
  bigint: () => 10n ** 30n,
  function: () => () => 1,
  proxy: () => new Proxy(() => {}, Object.fromEntries(TRAPS.map((trap) => [trap, thrower('throws')]))),
  revoked: () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  cycle: () => {
    const cycle: Record<string, unknown> = {}
    return Object.assign(cycle, { cycle, list: [cycle] })
  },
  'foreign stack': () => runInNewContext("Error.prepareStackTrace = () => { throw 'no stack' }; new Error('m')") as unknown,
  aggregate: () => new AggregateError([new Error('one'), Symbol('two')], 'several'),
  cause: () => new Error('outer', { cause: Object.create(null) }),
  lost: () => new JobportError('LEASE_LOST', 'says the handler'),
  closed: () => new JobportError('CLOSED', 'says the handler'),
  hopeless: () => new UnrecoverableError('no way'),
  // oxlint-disable-next-line unicorn/no-thenable -- a handler may return one
  thenable: () => Object.defineProperty({}, 'then', { get: thrower('throws undefined') }),
  inspect: () => ({
    [Symbol.for('nodejs.util.inspect.custom')]: thrower('throws'),
    get [Symbol.toStringTag]() {
      throw new Error('tag')
    },
  }),
  toString: () => ({ toString: thrower('throws undefined'), [Symbol.toPrimitive]: thrower('throws undefined') }),
  date: () => new Date(NaN),
  frozen: () => Object.freeze(new Error('frozen')),
  toJSON: () => ({ toJSON: thrower('throws') }),
  'toJSON undefined': () => ({ a: { toJSON: thrower('throws undefined') } }),
  getter: () => Object.defineProperty({}, 'a', { get: thrower('throws undefined'), enumerable: true }),
  deep: () => Array.from({ length: 3_000 }).reduce<unknown>((inner) => [inner], 1),
  map: () => new Map([['a', 1]]),
  nan: () => [NaN, Infinity, -0],
  key: () => ({ '\ud83d': 1, '\0': 2, ['__proto__']: 3 }),
  sparse: () => Object.assign([] as unknown[], { 5: 1 }),
  large: () => ({ rows: Array.from({ length: 11_000 }, (_, i) => ({ i, text: 'x'.repeat(80) })) }),
  'large text': () => '汉'.repeat(400_000),
}
