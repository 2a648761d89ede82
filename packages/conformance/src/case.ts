import { expect, refusal } from './assert.ts'
import type { Features } from '@jobport/core/driver'
import type { AddOptions } from '@jobport/core'
import type { Context } from './context.ts'

/** One promise, tested. */
export interface Case {
  /** Stable: certificates and documents point to it. */
  readonly id: string
  readonly title: string
  /** Runs only where it is declared; elsewhere its use must be refused. */
  readonly needs?: keyof Features
  /** Kills or starts processes, so it needs a broker that they can reach. */
  readonly processes?: true
  /** Cuts, slows or watches connections, so it needs a broker that is reached over a socket. */
  readonly wire?: true
  /** Holds where the broker lives in the program's own process, and nowhere else. */
  readonly embedded?: true
  /** Breaks its broker, so it gets one of the suite's own. */
  readonly breaks?: true
  /** Fills its broker, which can be told to be full, or the small disk of one that has it to itself. */
  readonly fills?: 'broker' | 'disk'
  /** Takes ten seconds or more: left out unless the run asks for it. */
  readonly slow?: true
  readonly run: (ctx: Context) => Promise<void>
}

export interface Chapter {
  readonly number: number
  readonly title: string
  readonly cases: readonly Case[]
}

/** Ways to use a feature; where it is not declared each must throw `NOT_SUPPORTED` before any I/O. */
const USES: Record<keyof Features, readonly ((ctx: Context) => Promise<unknown>)[]> = {
  delay: [adding({ delay: 5 }), adding({ at: new Date(Date.now() + 60_000) })],
  dedup: [adding({ id: 'x', dedup: { ttl: 1_000 } })],
  priority: [adding({ priority: 1 })],
  ordered: [],
  pause: [({ queue }) => queue.pause(), ({ queue }) => queue.resume(), ({ queue }) => queue.isPaused()],
  cancel: [({ queue }) => queue.remove('x'), ({ queue }) => queue.purge()],
  inspect: [({ queue }) => queue.get('x'), ({ queue }) => queue.list('waiting')],
  durable: [],
}

/** What runs instead of a case whose feature the adapter does not declare. */
export async function refuses(feature: keyof Features, ctx: Context): Promise<void> {
  const picky = ctx.broker({ require: [feature] })
  await refusal(picky.connect(), 'NOT_SUPPORTED')
  for (const use of USES[feature]) await refusal(use(ctx), 'NOT_SUPPORTED')
  expect(await ctx.queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
}

function adding(options: AddOptions): (ctx: Context) => Promise<unknown> {
  return ({ queue }) => queue.add('a', 1, options)
}
