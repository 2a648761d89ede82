import { assertions } from './assert.ts'
import { refuses, type Case, type Chapter } from './case.ts'
import { chapters as all } from './chapters/index.ts'
import { Context, type Ledger } from './context.ts'
import { inTime, patiently } from './wait.ts'
import { movedTo, Workbench } from './workbench.ts'
import { metaCases } from './chapters/meta.ts'
import { failureOf, Results, type Result } from './results.ts'
import { FAULTS, SCALE } from './levels.ts'
import { globalRunner, type Runner } from './runner.ts'
import { seeded } from './seed.ts'
import type { Harness } from './harness.ts'

export interface CertifyOptions {
  /** Default: the globals of mocha, vitest or jest. */
  readonly runner?: Runner
  /** For whatever the cases draw by chance. Default: drawn, and shown in the certificate. */
  readonly seed?: number
  /** Only the cases with these ids; then the suite does not ask whether all were reached. */
  readonly only?: ReadonlySet<string>
  /** Whether to run the cases that take ten seconds or more, as `jobport-certify` does. Default: false. */
  readonly slow?: boolean
  /** Whether to run the slow ones of chapter 11 as well, a million jobs among them. Default: as `slow`. */
  readonly scale?: boolean
  /** Default: those of the suite. It still asks for every case that it lists. */
  readonly chapters?: readonly Chapter[]
}

/** Longest that any case may take, ms; its own waits end far earlier. */
const CASE_TIMEOUT = 120_000
/** The same for cases with much of everything, ms. */
const SCALE_TIMEOUT = 3_600_000

/** What the runner grants beyond that, ms: a case that hangs is tidied up too. */
const TIDYING = 90_000

/** Registers the whole suite for one adapter with the test runner. The results fill up as it runs. */
export function certify(harness: Harness, options: CertifyOptions = {}): Results {
  const {
    runner = globalRunner(),
    seed = Math.floor(Math.random() * 2 ** 32),
    only,
    slow = false,
    scale = slow,
    chapters = all,
  } = options
  const ledger: Ledger = { queues: new Set(), timings: { lateness: [], disorder: [], redelivery: [] }, opened: 0, closed: 0 }
  const results = new Results(seed, ledger.timings)
  const bench = harness.openBroker && new Workbench((disk) => harness.openBroker!(disk === undefined ? {} : { disk }))
  const isLeftOut = (chapter: Chapter, each: Case): boolean => each.slow === true && !(chapter.number === SCALE ? scale : slow)
  const chosen = (chapter: Chapter): readonly Case[] =>
    chapter.cases.filter((each) => (only ? only.has(each.id) : !isLeftOut(chapter, each)))

  for (const chapter of chapters) {
    const cases = chosen(chapter)
    if (cases.length > 0) register(chapter, cases)
  }
  if (!only)
    register(
      { number: 0, title: 'the suite about itself', cases: [] },
      metaCases({ harness, results, ledger, chapters, isLeftOut }),
    )
  return results

  function register(chapter: Chapter, cases: readonly Case[]): void {
    runner.describe(`${harness.name}: ${chapter.number} ${chapter.title}`, () => {
      for (const each of cases) {
        runner.it(`${each.id} ${each.title}`, async function () {
          this.timeout?.(patiently(limitOf(chapter.number) + TIDYING))
          await runCase(chapter, each)
        })
      }
      if (bench && cases.some(({ breaks }) => breaks))
        runner.after(() => inTime(TIDYING, 'closing what was broken', bench.close()))
    })
  }

  async function runCase({ number: chapter }: Chapter, each: Case): Promise<void> {
    const { id, title } = each
    const start = { at: performance.now(), assertions: assertions.made }
    const record = (rest: Pick<Result, 'status'> & Partial<Result>): void =>
      results.record({
        id,
        chapter,
        title,
        assertions: assertions.made - start.assertions,
        ms: Math.round(performance.now() - start.at),
        ...rest,
      })
    record({ status: 'unreached', reason: 'it did not end' })
    const broken = each.breaks && harness.remote ? await bench?.broker(each.fills === 'disk') : undefined
    const ctx = new Context(broken ? movedTo(broken, harness) : harness, seeded(seed ^ hash(id)), ledger, id, broken)
    try {
      const end = await inTime(limitOf(chapter), id, perform(each, ctx))
      const { duplicates } = ctx
      await ctx.close()
      record({ ...end, ...(chapter === FAULTS && end.status === 'passed' && { duplicates }) })
    } catch (error) {
      record({ status: 'failed', ...failureOf(error) })
      await ctx.close().catch(() => {})
      throw withStory(error, ctx)
    }
    if (results.get(id)?.status === 'not applicable' || assertions.made > start.assertions) return
    record({ status: 'unreached', reason: 'it made no assertion' })
    throw new Error(`${id} made no assertion`)
  }
}

function limitOf(chapter: number): number {
  return chapter === SCALE ? SCALE_TIMEOUT : CASE_TIMEOUT
}

/** Runs the case, or what stands for it where its feature is not declared. */
async function perform(
  { needs, processes, wire, embedded, breaks, fills, run }: Case,
  ctx: Context,
): Promise<Pick<Result, 'status' | 'reason'>> {
  if (needs !== undefined && ctx.features[needs] === false) {
    await refuses(needs, ctx)
    return { status: 'refused' }
  }
  if ((processes || breaks) && !ctx.harness.remote)
    return { status: 'not applicable', reason: 'the broker lives in this process' }
  if (embedded && ctx.harness.remote) return { status: 'not applicable', reason: 'the broker lives in a process of its own' }
  if (wire && !ctx.wire) return { status: 'not applicable', reason: 'no wire to cut' }
  if (breaks && !ctx.breakable) return { status: 'not applicable', reason: 'the suite was given no broker to break' }
  if (fills === 'broker' && !ctx.breakable?.setFull)
    return { status: 'not applicable', reason: 'this broker cannot be told to be full' }
  if (fills === 'disk' && !ctx.breakable?.setDiskFull)
    return { status: 'not applicable', reason: 'no small disk could be had: one needs a local broker, and root on Linux' }
  await run(ctx)
  ctx.travelled()
  const reason = ctx.untested.join('; ')
  return { status: 'passed', ...(reason !== '' && { reason }) }
}

/** What the workers complained of belongs to the failure. */
function withStory(error: unknown, { story }: Context): unknown {
  const { errors } = story
  if (error instanceof Error && errors.length > 0)
    error.message += `; workers said: ${errors
      .slice(0, 3)
      .map(({ message }) => message)
      .join(' | ')}`
  return error
}

function hash(text: string): number {
  let sum = 0
  for (const character of text) sum = (Math.imul(sum, 31) + character.codePointAt(0)!) >>> 0
  return sum
}
