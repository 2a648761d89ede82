import * as fc from 'fast-check'
import type { Entry } from '../src/ledger/entries.ts'

/** One message of a log, and how long after the one before it is written, ms. */
export interface Step {
  readonly writer: string
  readonly later: number
  readonly entries: readonly Entry[]
}

// few of each, so that entries meet; names that a careless map would trip over
const ids = ['__proto__', 'constructor', 'order:42']
const uid = fc.constantFrom('toString', 'u1', 'u2', 'u3', 'u4', 'u5')
const run = fc.constantFrom('r1', 'r2', 'r3')
const copy = fc.constantFrom('c1', 'c1', 'c2', 'c3')
const letter = fc.constantFrom('l1', 'l2')
const id = fc.constantFrom(...ids)
const error = { name: 'Error', message: 'no' }

const claim = fc
  .record(
    {
      uid,
      copy: fc.constant('c1'),
      body: fc.string({ maxLength: 5 }),
      until: fc.integer({ min: 999_000, max: 1_005_000 }),
      dueAt: fc.integer({ min: 999_000, max: 1_005_000 }),
      from: fc.record({ uid, letter }),
    },
    { requiredKeys: ['uid', 'copy'] },
  )
  .map((fields): Entry => ({ type: 'claim', id: ids[fields.uid.length % ids.length]!, seen: 0, ...fields }))

const entry: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 4, arbitrary: claim },
  {
    weight: 4,
    arbitrary: fc
      .record({ uid, run, copy, tok: fc.nat(3), over: run }, { requiredKeys: ['uid', 'run', 'copy', 'tok'] })
      .map((fields): Entry => ({ type: 'start', ...fields })),
  },
  fc.record({ uid, run }).map((fields): Entry => ({ type: 'end', ...fields })),
  fc.record({ uid, run, copy, attempt: fc.constant(2) }).map((fields): Entry => ({ type: 'again', ...fields })),
  fc.record({ uid, run }).map((fields): Entry => ({ type: 'dead', reason: 'attempts', error, ...fields })),
  fc.record({ uid, letter }).map((fields): Entry => ({ type: 'buried', ...fields })),
  uid.map((uid): Entry => ({ type: 'cleared', uid })),
  fc.record({ uid, run }).map((fields): Entry => ({ type: 'release', ...fields })),
  id.map((id): Entry => ({ type: 'remove', id })),
  id.map((id): Entry => ({ type: 'probe', id })),
  fc.constant<Entry>({ type: 'purge' }),
  fc.record({ uid, copy }).map((fields): Entry => ({ type: 'dropped', ...fields })),
  fc.constant<Entry>({ type: 'begin' }),
)

export const arbitraryStep: fc.Arbitrary<Step> = fc.record({
  writer: fc.constantFrom('w1', 'w2', 'w3', 'w4'),
  later: fc.constantFrom(0, 1, 500, 11_000),
  entries: fc.array(entry, { minLength: 1, maxLength: 4 }),
})
