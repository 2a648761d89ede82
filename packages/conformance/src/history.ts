/** What was seen of a queue, in the order in which it was seen. A receipt may come after its job has started. */
export type HistoryEvent =
  | Added
  | { readonly type: 'started'; readonly uid: string; readonly at: number }
  /** The run is over, the job is not: it failed and waits for another run, or was released. */
  | { readonly type: 'failed' | 'released'; readonly uid: string }
  | { readonly type: 'completed' | 'dead' | 'removed'; readonly uid: string }
  /** A dead letter went, and lives again as `as`. */
  | { readonly type: 'redriven'; readonly uid: string; readonly as: string; readonly attempts?: number }

/** An accepted job. `due` is the epoch ms before which it must not start. */
export interface Added {
  readonly type: 'added'
  readonly uid: string
  readonly id: string
  readonly attempts: number
  readonly due?: number
}

export interface History {
  readonly events: readonly HistoryEvent[]
  /** The end, when nothing moves: uids of the live jobs, or only how many where the broker cannot list them. */
  readonly live: readonly string[] | number
  /** The end: uids of the dead letters, as they are listed. */
  readonly dead: readonly string[]
}

/** What the history may contain. */
export interface Allowance {
  /** Runs and ends too many, where faults were injected. Default 0. */
  readonly duplicates?: number
  /** Starts that a job may cost beyond its attempts. Default 0: no worker was lost. */
  readonly crashLimit?: number
}

export type Rule =
  | 'unexpected'
  | 'lost'
  | 'started early'
  | 'ran twice at once'
  | 'ran after its end'
  | 'too many starts'
  | 'two live jobs of one id'
  | 'completed twice'
  | 'completed and dead'
  | 'dead letter twice'
  | 'removed but ran'
  | 'conservation'

export interface Violation {
  readonly rule: Rule
  readonly uid: string
  readonly detail: string
}

/** What a fault may cause, and a duplicate therefore excuse. */
const DOUBLING: ReadonlySet<Rule> = new Set([
  'ran twice at once',
  'ran after its end',
  'completed twice',
  'completed and dead',
  'dead letter twice',
])

/** One job's life, as the history tells it. Moments are places in the history. */
interface Life {
  readonly uid: string
  readonly id: string
  readonly attempts: number
  readonly due: number
  readonly added: number
  readonly started: number[]
  readonly startedAt: number[]
  readonly failed: number[]
  readonly released: number[]
  readonly completed: number[]
  readonly dead: number[]
  readonly removed: number[]
  readonly redriven: number[]
}

/** Judges a history by the invariants that hold on every broker; names each violation. */
export function violations(history: History, { duplicates = 0, crashLimit = 0 }: Allowance = {}): Violation[] {
  const { lives, strangers } = read(history)
  const all = [
    ...strangers.map((uid) => violation('unexpected', uid, 'it was never added')),
    ...[...lives.values()].flatMap((life) => [...runs(life, crashLimit), ...ends(life, history)]),
    ...twins([...lives.values()], history),
    ...missing([...lives.values()], history),
  ]
  let excused = 0
  return all.filter(({ rule }) => !DOUBLING.has(rule) || ++excused > duplicates)
}

function read({ events, live, dead }: History): { lives: Map<string, Life>; strangers: string[] } {
  const lives = new Map<string, Life>()
  events.forEach((event, moment) => {
    const { type, uid } = event
    const old = lives.get(uid)
    if (type === 'added') lives.set(uid, bornOf(event, moment))
    if (type === 'redriven' && old)
      lives.set(event.as, bornOf({ id: old.id, attempts: old.attempts, ...event, uid: event.as }, moment))
  })
  events.forEach((event, moment) => {
    const life = lives.get(event.uid)
    if (event.type === 'added' || !life) return
    life[event.type].push(moment)
    if (event.type === 'started') life.startedAt.push(event.at)
  })
  const named = new Set([...events.map(({ uid }) => uid), ...(typeof live === 'number' ? [] : live), ...dead])
  return { lives, strangers: [...named].filter((uid) => !lives.has(uid)) }
}

function bornOf({ uid, id, attempts, due = 0 }: Omit<Added, 'type'>, added: number): Life {
  return {
    uid,
    id,
    attempts,
    due,
    added,
    started: [],
    startedAt: [],
    failed: [],
    released: [],
    completed: [],
    dead: [],
    removed: [],
    redriven: [],
  }
}

function runs(
  { uid, attempts, due, started: starts, startedAt, failed, released, completed, dead, removed }: Life,
  crashLimit: number,
): Violation[] {
  const found: Violation[] = []
  const early = startedAt.filter((at) => at < due)
  if (early.length > 0) found.push(violation('started early', uid, `${due - Math.min(...early)} ms before it was due`))
  const ended = Math.min(...completed, ...dead)
  const over = [...failed, ...released, ...completed, ...dead]
  const open = (start: number, next: number): boolean => !over.some((end) => end > start && end < next)
  starts.forEach((start, i) => {
    if (start > ended) found.push(violation('ran after its end', uid, `start ${i + 1}`))
    else if (i > 0 && open(starts[i - 1]!, start))
      found.push(violation('ran twice at once', uid, `start ${i + 1} during run ${i}`))
  })
  const costly = starts.length - released.length
  if (costly > attempts + crashLimit)
    found.push(violation('too many starts', uid, `${costly} of at most ${attempts + crashLimit}`))
  if (removed.length > 0 && starts.some((start) => start > removed[0]!))
    found.push(violation('removed but ran', uid, 'it started after its removal'))
  return found
}

function ends({ uid, completed, dead, removed, redriven }: Life, history: History): Violation[] {
  const found: Violation[] = []
  const letters = history.dead.filter((each) => each === uid).length
  const died = Math.max(dead.length, letters)
  if (completed.length > 1) found.push(violation('completed twice', uid, `${completed.length} times`))
  if (completed.length > 0 && died > 0) found.push(violation('completed and dead', uid, 'it has two ends'))
  if (died > 1) found.push(violation('dead letter twice', uid, `${dead.length} deaths, ${letters} letters`))
  const gone = completed.length > 0 || removed.length > 0 || redriven.length > 0
  if (letters > 0 && (removed.length > 0 || redriven.length > 0))
    found.push(violation('conservation', uid, 'a dead letter that went is still there'))
  if (typeof history.live !== 'number' && history.live.includes(uid) && (gone || died > 0)) {
    found.push(violation('conservation', uid, 'it is live after its end'))
  }
  return found
}

/** Two jobs of one id that were certainly live at one moment: from its receipt to its last start, or to the end of a live one. */
function twins(lives: readonly Life[], { events, live }: History): Violation[] {
  const until = ({ uid, started }: Life): number =>
    typeof live !== 'number' && live.includes(uid) ? events.length : Math.max(-1, ...started)
  const certain = lives.map((life) => ({ ...life, last: until(life) })).filter(({ added, last }) => last > added)
  return certain.flatMap((one, i) =>
    certain
      .slice(i + 1)
      .filter((other) => other.id === one.id && other.added < one.last && one.added < other.last)
      .map((other) => violation('two live jobs of one id', other.uid, `${one.id} was also ${one.uid}`)),
  )
}

/** Accepted = completed + dead + removed + live. */
function missing(lives: readonly Life[], { live, dead }: History): Violation[] {
  const accounted = ({ uid, completed, removed, redriven }: Life): boolean =>
    completed.length + removed.length + redriven.length > 0 || dead.includes(uid)
  const rest = lives.filter((life) => !accounted(life))
  if (typeof live !== 'number')
    return rest.filter(({ uid }) => !live.includes(uid)).map(({ uid }) => violation('lost', uid, 'it has no end and is not live'))
  if (rest.length < live) return [violation('conservation', '', `${live} are live, ${rest.length} have not ended`)]
  return rest.length > live
    ? [violation('lost', '', `${live} are live of ${rest.length}: ${rest.map(({ uid }) => uid).join(' ')}`)]
    : []
}

function violation(rule: Rule, uid: string, detail: string): Violation {
  return { rule, uid, detail }
}
