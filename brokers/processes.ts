import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that no later one of the same number is taken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, as the system tells it. */
  readonly since: string
}

const PROC = existsSync('/proc/self/stat')

export function identify(pid: number): ProcessIdentity | undefined {
  const since = look(pid)?.since
  return since === undefined ? undefined : { pid, since }
}

export function isAlive({ pid, since }: ProcessIdentity): boolean {
  return look(pid)?.since === since
}

/** The process and all that descend from it, parents first. */
export function family({ pid }: ProcessIdentity): ProcessIdentity[] {
  const parents = readParents()
  const found = [pid]
  for (const parent of found) for (const [child, its] of parents) if (its === parent) found.push(child)
  return found.map(identify).filter((identity) => identity !== undefined)
}

export function signalAll(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const identity of processes) {
    if (!isAlive(identity)) continue
    try {
      process.kill(identity.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Answers whether all have ended before the deadline, ms. */
export async function haveEnded(processes: readonly ProcessIdentity[], deadline: number): Promise<boolean> {
  const end = Date.now() + deadline
  while (processes.some(isAlive)) {
    if (Date.now() > end) return false
    await delay(10)
  }
  return true
}

/** Resolves once it is frozen: until then it can still make a child that nobody has counted. */
export async function freeze(identity: ProcessIdentity): Promise<void> {
  signalAll([identity], 'SIGSTOP')
  for (;;) {
    const seen = look(identity.pid)
    if (seen?.since !== identity.since || seen.frozen) return
    await delay(1)
  }
}

/** Asks the first to end and wakes those that are frozen. */
function signalEnd(all: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  signalAll(all.slice(0, 1), signal)
  signalAll(all, 'SIGCONT')
}

/** Ends a family by its parent's own way to end at once, or else by force. */
export async function endAll(all: readonly ProcessIdentity[], signal: NodeJS.Signals): Promise<void> {
  signalEnd(all, signal)
  if (!(await haveEnded(all, 10_000))) await killAll(all)
}

/** The same for a process in its last moment: it blocks. */
export function endAllNow(all: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  signalEnd(all, signal)
  const end = Date.now() + 2_000
  const clock = new Int32Array(new SharedArrayBuffer(4))
  while (all.some(isAlive) && Date.now() < end) Atomics.wait(clock, 0, 0, 10)
  signalAll(all, 'SIGKILL')
}

/** Ends them without asking. A frozen process ends too. */
export async function killAll(processes: readonly ProcessIdentity[]): Promise<void> {
  signalAll(processes, 'SIGKILL')
  if (await haveEnded(processes, 10_000)) return
  throw new Error(`Processes ${processes.map(({ pid }) => pid).join(', ')} survive SIGKILL`)
}

/** A process that has ended counts as gone before its parent has heard of it. */
function look(pid: number): { since: string; frozen: boolean } | undefined {
  try {
    const { gone, since, frozen } = PROC ? readProc(pid) : readPs(pid)
    return gone ? undefined : { since, frozen }
  } catch {
    return undefined
  }
}

/** While other threads of a process end, which may take longer, it still holds its ports. */
function readProc(pid: number): { gone: boolean; frozen: boolean; since: string; parent: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent] = fields
  return {
    gone: state === 'Z' && Number(fields[17]) <= 1,
    frozen: state === 'T',
    since: fields[19] ?? '',
    parent: Number(parent),
  }
}

function readPs(pid: number): { gone: boolean; frozen: boolean; since: string } {
  const [state = '', ...since] = ps('-o', 'stat=,lstart=', '-p', String(pid)).trim().split(/\s+/)
  return { gone: state.startsWith('Z'), frozen: state.startsWith('T'), since: since.join(' ') }
}

/** The parent of every process. */
function readParents(): [pid: number, parent: number][] {
  if (PROC) return readdirSync('/proc').map(Number).filter(Boolean).flatMap(parentOf)
  return ps('-axo', 'pid=,ppid=')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
}

function parentOf(pid: number): [pid: number, parent: number][] {
  try {
    return [[pid, readProc(pid).parent]]
  } catch {
    return []
  }
}

function ps(...args: string[]): string {
  return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}
