import * as fc from 'fast-check'
import type { Backoff, Features } from '@jobport/core/driver'

/** A job of a history. Ids and names are few, so that jobs meet. */
export interface Draft {
  /** `job` runs until a step ends it, `brief` until its timeout, and for `stray` there is no handler. */
  readonly name: 'job' | 'brief' | 'stray'
  readonly id?: string
  readonly delay?: number
  readonly priority?: number
  readonly attempts?: number
  readonly backoff?: Backoff
  readonly ttl?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** How a step ends a run. */
export type End =
  | { readonly how: 'return' }
  | { readonly how: 'throw' }
  | { readonly how: 'give up' }
  | { readonly how: 'retry'; readonly delay: number; readonly countAttempt: boolean }

/** Which queue, and over which connection. */
interface Place {
  readonly queue: 0 | 1
  readonly via: 0 | 1
}

/** One deed. Numbers point to one of those that there are, modulo their count; where there is none, nothing is done. */
export type Step =
  | ({ readonly do: 'add' } & Place & { readonly jobs: readonly [Draft] })
  | ({ readonly do: 'addMany' } & Place & { readonly jobs: readonly Draft[] })
  | ({ readonly do: 'work' } & Place & { readonly concurrency: number })
  | { readonly do: 'stop'; readonly worker: number }
  | { readonly do: 'disconnect'; readonly via: 0 | 1 }
  | { readonly do: 'end'; readonly run: number; readonly end: End }
  | { readonly do: 'lose'; readonly run: number }
  | ({ readonly do: 'remove' } & Place & { readonly id: number })
  | ({ readonly do: 'bury' } & Place & { readonly id: number })
  | ({ readonly do: 'redrive' } & Place & { readonly id: number; readonly attempts?: number })
  | ({ readonly do: 'purge' | 'clear' | 'pause' | 'resume' | 'redriveAll' | 'drop' } & Place)
  | { readonly do: 'pass'; readonly ms: number }

/** Some come often, so that they meet themselves. */
const IDS = ['a', 'a', 'a', 'b', 'b', 'c', 'd', 'e']
const TTLS = [1_000, 90_000, 86_400_000]
const SOME = 7

/** Steps that the adapter's features allow, with waits of these lengths. */
export function stepsFor({ delay, dedup, priority, pause, cancel }: Features, waits: readonly number[]): fc.Arbitrary<Step> {
  const wait = fc.constantFrom(0, ...(delay ? waits : []))
  const backoff: fc.Arbitrary<Backoff> = fc.record(
    {
      type: fc.constantFrom('fixed', 'exponential'),
      delay: wait,
      max: wait,
      jitter: fc.constantFrom(0, 0.5, 1),
    },
    { requiredKeys: ['type', 'delay'] },
  ) as fc.Arbitrary<Backoff>
  const id = fc.constantFrom(...IDS)
  const optional = <T>(declared: unknown, weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    declared
      ? fc.oneof({ weight: 10 - weight, arbitrary: fc.constant(undefined) }, { weight, arbitrary })
      : fc.constant(undefined)
  const draft = fc
    .record({
      name: fc.oneof(
        { weight: 12, arbitrary: fc.constant('job' as const) },
        { weight: 1, arbitrary: fc.constant('brief' as const) },
        { weight: 1, arbitrary: fc.constant('stray' as const) },
      ),
      id: optional(true, 7, id),
      delay: optional(delay, 3, fc.constantFrom(...waits)),
      priority: optional(priority, 3, fc.integer({ min: 1, max: 9 })),
      attempts: optional(true, 6, fc.integer({ min: 1, max: 3 })),
      backoff: optional(true, 4, backoff),
      ttl: optional(dedup, 4, fc.constantFrom(...TTLS)),
      headers: optional(true, 2, fc.constant({ 'x-tenant': 'é/1' })),
    })
    .map(drafted)
  const place = { queue: fc.constantFrom(0 as const, 0 as const, 1 as const), via: fc.constantFrom(0 as const, 1 as const) }
  const run = fc.nat(SOME)
  const end: fc.Arbitrary<End> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ how: fc.constantFrom('return' as const, 'throw' as const) }) },
    { weight: 1, arbitrary: fc.record({ how: fc.constant('give up' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ how: fc.constant('retry' as const), delay: wait, countAttempt: fc.boolean() }),
    },
  )
  const kinds: readonly (readonly [number, fc.Arbitrary<object>])[] = [
    [8, fc.record({ do: fc.constant('add' as const), ...place, jobs: fc.tuple(draft) })],
    [3, fc.record({ do: fc.constant('addMany' as const), ...place, jobs: fc.array(draft, { minLength: 2, maxLength: 5 }) })],
    [5, fc.record({ do: fc.constant('work' as const), ...place, concurrency: fc.constantFrom(1, 1, 1, 2, 3) })],
    [2, fc.record({ do: fc.constant('stop' as const), worker: run })],
    [1, fc.record({ do: fc.constant('disconnect' as const), via: place.via })],
    [12, fc.record({ do: fc.constant('end' as const), run, end })],
    [1, fc.record({ do: fc.constant('lose' as const), run })],
    [2, fc.record({ do: fc.constant('bury' as const), ...place, id: run })],
    [
      3,
      fc.record({ do: fc.constant('redrive' as const), ...place, id: run, attempts: fc.constantFrom(undefined, undefined, 2) }),
    ],
    [3, fc.record({ do: fc.constantFrom('clear' as const, 'redriveAll' as const, 'drop' as const), ...place })],
    [cancel ? 2 : 0, fc.record({ do: fc.constant('remove' as const), ...place, id: run })],
    [cancel ? 1 : 0, fc.record({ do: fc.constant('purge' as const), ...place })],
    [pause ? 3 : 0, fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const), ...place })],
    [delay ? 3 : 0, fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(...waits.slice(0, -1)) })],
  ]
  return fc.oneof(...kinds.map(([weight, arbitrary]) => ({ weight, arbitrary: arbitrary.map(present) }))) as fc.Arbitrary<Step>
}

/** A window belongs to an id that the caller gave. */
function drafted(draft: { [Key in keyof Draft]: Draft[Key] | undefined }): Draft {
  return present({ ...draft, ...(draft.id === undefined && { ttl: undefined }) }) as Draft
}

function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T
}
