import { violations, type Added, type HistoryEvent, type Rule } from '../history.ts'
import { pause } from '../wait.ts'
import { duplicatesOf, unexplainedBy, type Fallen } from '../duplicates.ts'
import type { Child } from '../child.ts'
import type { Context } from '../context.ts'

export interface Verdict {
  readonly accepted: number
  readonly completed: number
  readonly dead: number
  /** Ran and are gone, but the worker that could have told was killed. */
  readonly untold: number
  /** Runs of an attempt that had been run before, which faults may cause. */
  readonly duplicates: number
  /** How often a worker or the broker got no time from the machine for half a second, blows aside. */
  readonly starved: number
  /** Jobs of two ends, where the broker cannot fence those whose ids are not given. */
  readonly doubled: number
  readonly wrong: readonly Wrong[]
}

export interface Wrong {
  readonly rule: Rule | 'stuck' | 'ran again for no reason'
  readonly uid: string
  readonly detail: string
  readonly story: readonly string[]
}

/** What was done, and by whom. */
export interface Deeds {
  readonly accepted: readonly Added[]
  readonly children: readonly Child[]
  readonly fallen: readonly Fallen[]
  /** When the broker answered late. */
  readonly late: readonly Fallen[]
}

/** At least once: faults may make a job run again. */
const AGAIN: ReadonlySet<Rule> = new Set(['ran twice at once', 'ran after its end'])
/** What befalls a job whose settlements the broker cannot fence. */
const ENDS: ReadonlySet<Rule> = new Set(['completed twice', 'completed and dead', 'dead letter twice'])
const CRASHES = 100
/** What has ended may still be told, and a dead letter still be written, ms. */
const LAST_WORDS = 20_000
/** RabbitMQ holds back for three minutes, seen by nobody, what was between two queues when it was killed, ms. */
const HELD_BACK = 240_000
/** What a worker complained of so long before or after a run belongs to the run's story, ms. */
const NEAR = 5_000

/** Waits until nothing moves, and holds all that was told against what may be. */
export async function judge(ctx: Context, deeds: Deeds, patience: number): Promise<Verdict> {
  const stuck = await settle(ctx, patience)
  for (const start = performance.now(); ; await pause(500)) {
    const verdict = await look(ctx, deeds, stuck)
    const limit = verdict.wrong.some(({ rule }) => rule === 'lost') ? HELD_BACK : LAST_WORDS
    if (verdict.wrong.length === 0 || stuck !== undefined || performance.now() - start > limit) return verdict
  }
}

async function look(
  ctx: Context,
  { accepted, children, fallen: blows, late }: Deeds,
  stuck: string | undefined,
): Promise<Verdict> {
  const starvation = [...starvationOf(children), ...late]
  const fallen = [...blows, ...starvation]
  const told = children.flatMap((child, process) => eventsOf(child, process)).toSorted((a, b) => a.at - b.at)
  const started = new Set(told.flatMap(({ event }) => (event.type === 'started' ? [event.uid] : [])))
  const ended = new Set(told.flatMap(({ event }) => (event.type === 'completed' || event.type === 'dead' ? [event.uid] : [])))
  const letters = (await ctx.deadLetters()).map(({ uid }) => uid)
  const known = new Set(accepted.map(({ uid }) => uid))
  // plain jobs whose add was never answered, and were stored
  const strangers = [...new Set([...started, ...letters])].filter((uid) => !known.has(uid))
  const unanswered = strangers.map((uid): Added => ({ type: 'added', uid, id: uid, attempts: 4 }))
  const all = [...accepted, ...unanswered]
  const untold = all.map(({ uid }) => uid).filter((uid) => started.has(uid) && !ended.has(uid) && !letters.includes(uid))
  const events: HistoryEvent[] = [
    ...all,
    ...told.map(({ event }) => event),
    ...untold.map((uid) => ({ type: 'completed' as const, uid })),
  ]
  const found = violations({ events, live: [], dead: letters }, { crashLimit: CRASHES })
  const given = new Set(accepted.flatMap(({ uid, id }) => (uid === id ? [] : [uid])))
  const isFenced = (uid: string): boolean => ctx.features.cancel === 'all' || given.has(uid)
  const doubled = found.filter(({ rule, uid }) => ENDS.has(rule) && !isFenced(uid))
  const duplicates = duplicatesOf(children)
  const unexplained = unexplainedBy(duplicates, fallen, isFenced).map(({ uid, first, again }) => ({
    rule: 'ran again for no reason' as const,
    uid,
    detail: `${again - first} ms after the run before`,
  }))
  const wrong = [...found.filter((each) => !AGAIN.has(each.rule) && !doubled.includes(each)), ...unexplained]
  return {
    accepted: all.length,
    completed: new Set(told.flatMap(({ event }) => (event.type === 'completed' ? [event.uid] : []))).size,
    dead: letters.length,
    untold: untold.length,
    duplicates: duplicates.length,
    starved: starvation.filter((each) => !blows.some((blow) => overlap(blow, each))).length,
    doubled: doubled.length,
    wrong: [
      ...(stuck === undefined ? [] : [{ rule: 'stuck' as const, uid: '', detail: stuck, story: unfinished(told, children) }]),
      ...wrong.map((each) => ({ ...each, story: storyOf(each.uid, told, children, fallen) })),
    ],
  }
}

/** A machine that is too busy does to a worker what a freeze does. */
function starvationOf(children: readonly Child[]): Fallen[] {
  return children.flatMap((child, process) =>
    child
      .of('starved')
      .map(({ ms, at }): Fallen => ({ blow: `worker ${process} got no time`, from: at - ms, until: at, workers: [process] })),
  )
}

function overlap(one: Fallen, other: Fallen): boolean {
  return one.from <= other.until && other.from <= one.until
}

/** Says what still moves when there is no more patience. */
async function settle({ queue }: Context, patience: number): Promise<string | undefined> {
  for (const end = performance.now() + patience; ; await pause(100)) {
    const counts = await queue.counts().catch(() => undefined)
    if (counts && counts.waiting + counts.delayed + counts.active === 0) return undefined
    if (performance.now() > end) return JSON.stringify(counts)
  }
}

interface Told {
  readonly event: HistoryEvent
  readonly process: number
  /** Epoch ms. */
  readonly at: number
}

function eventsOf(child: Child, process: number): Told[] {
  return child.reports.flatMap((report): Told[] => {
    switch (report.type) {
      case 'active':
        return [{ event: { type: 'started', uid: report.uid, at: report.at }, process, at: report.at }]
      case 'completed':
      case 'failed':
      case 'dead':
        return [{ event: { type: report.type, uid: report.uid }, process, at: report.at }]
      default:
        return []
    }
  })
}

/** Runs of workers that live, of which no end was told: what is stuck is likely among them. */
function unfinished(told: readonly Told[], children: readonly Child[]): string[] {
  const last = new Map<string, Told>()
  for (const each of told) last.set(`${each.event.uid} on worker ${each.process}`, each)
  return [...last]
    .filter(([, { event, process }]) => event.type === 'started' && children[process]!.running)
    .map(([run, { at }]) => `${run} since ${new Date(at).toISOString()}`)
    .slice(0, 20)
}

/** What befell one job, with what was done and what its workers complained of meanwhile. Times are ms since the first blow. */
function storyOf(uid: string, told: readonly Told[], children: readonly Child[], fallen: readonly Fallen[]): string[] {
  const own = told.filter(({ event }) => event.uid === uid)
  const isNear = (at: number): boolean => own.some((each) => Math.abs(each.at - at) <= NEAR)
  const lines = own.map(({ event: { type }, process, at }) => ({ at, text: `${type} on worker ${process}` }))
  const blows = fallen
    .filter(({ from, until }) => isNear(from) || isNear(until))
    .map(({ blow, from, until }) => ({ at: from, text: `${blow}, over after ${until - from} ms` }))
  const complaints = children.flatMap((child, process) =>
    child
      .of('error')
      .filter(({ at }) => own.some((each) => each.process === process) && isNear(at))
      .map(({ at, message }) => ({ at, text: `worker ${process} said: ${message}` })),
  )
  const origin = fallen[0]?.from ?? own[0]?.at ?? 0
  return [...lines, ...blows, ...complaints].toSorted((a, b) => a.at - b.at).map(({ at, text }) => `${at - origin} ${text}`)
}
