import * as fc from 'fast-check'
import { RetryError, type AddOptions } from '@jobport/core'
import { make, returned, thrown, type Specimen } from './specimens.ts'
import type { Features } from '@jobport/core/driver'

/** ms, or what is no wait. */
export type Wait = number | 'dead' | 'NaN' | 'a text' | 'nothing' | 'throws' | 'rejects'

/** One job, and what its handler does on its first runs; after these it succeeds. */
export interface Draw {
  readonly options: AddOptions
  readonly name: string
  readonly act: 'throw' | 'return' | 'retry'
  readonly value: Specimen
  readonly runs: number
  readonly wait: Wait
  readonly countAttempt: boolean
}

const LARGEST = [1e15, 1e300, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, 2 ** 31, 2 ** 32 + 0.1]
/** All headers together, bytes, with room for their names. */
const HEADERS = 32_000

const wait: fc.Arbitrary<Wait> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Wait>(0, 0.5, 1, 1.5, 20, -1, -0) },
  { weight: 2, arbitrary: fc.constantFrom<Wait>(...LARGEST) },
  { weight: 3, arbitrary: fc.constantFrom<Wait>('dead', 'NaN', 'a text', 'nothing', 'throws', 'rejects') },
)

const headerName = fc.stringMatching(/^[a-z0-9-]{1,20}$/).filter((name) => !name.startsWith('jobport-'))
const headers = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.dictionary(headerName, textOf(' ', 'a', '"', '\\', 'é', '汉', '😀', '{', '\u2028'), { maxKeys: 5 }),
  },
  { weight: 1, arbitrary: fc.constantFrom(64, 20, 8).map(full) },
)
const name = fc.oneof(
  fc.constant('job'),
  textOf('a', ' ', '.', '>', '*', '#', '汉', '😀', "'", '/').map((text) => `n${text}n`),
)
const id = textOf('a', ' ', '.', ':', '>', '{', '汉', '😀', '%', '\u2028')

/** Within what the adapter declares. */
export function drawsFor({ delay }: Features): fc.Arbitrary<Draw> {
  const delays = delay ? [0, 0.4, 1, 30, Math.min(delay.max, 2 ** 31 + 5), delay.max] : [0]
  const options = fc.record(
    { id, headers, attempts: fc.integer({ min: 1, max: 3 }), delay: fc.constantFrom(...delays) },
    { requiredKeys: ['attempts'] },
  ) as fc.Arbitrary<AddOptions>
  const rest = { options, name, runs: fc.integer({ min: 1, max: 3 }), wait, countAttempt: fc.boolean() }
  return fc.oneof(
    fc.record({ ...rest, act: fc.constantFrom('throw', 'retry'), value: thrown }),
    fc.record({ ...rest, act: fc.constant('return'), value: returned }),
  ) as fc.Arbitrary<Draw>
}

/** Does what a handler of that job would. */
export function perform({ act, value, wait: delay, countAttempt }: Draw): unknown {
  if (act === 'return') return make(value)
  if (act === 'throw') throw make(value)
  const error = new RetryError('later', { delay: 0, countAttempt })
  // as a handler might that computes it wrongly
  Object.assign(error, { delay: typeof delay === 'number' ? delay : oddOf(delay) })
  throw error
}

/** What a worker's `backoff` answers for it. */
export function backoffOf({ wait: answer }: Draw): number | 'dead' | Promise<number | 'dead'> {
  if (answer === 'throws') throw Symbol('no backoff') as unknown
  if (answer === 'rejects') return Promise.reject(undefined)
  return (typeof answer === 'number' || answer === 'dead' ? answer : oddOf(answer)) as number
}

function oddOf(word: string): unknown {
  if (word === 'NaN') return NaN
  return word === 'a text' ? '5' : undefined
}

function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...pieces), maxLength: 30 })
}

function full(count: number): Record<string, string> {
  const value = '汉'.repeat(Math.floor((HEADERS / count - 4) / 3))
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, value]))
}
