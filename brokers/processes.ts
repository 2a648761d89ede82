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
  const parents = new Map(allPids().map((each) => [each, look(each)?.parent]))
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

/** Asks the first to end and wakes those that are frozen. */
export function signalEnd(all: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  signalAll(all.slice(0, 1), signal)
  signalAll(all, 'SIGCONT')
}

/** Ends a family by its parent's own way to end at once, or else by force. */
export async function endAll(all: readonly ProcessIdentity[], signal: NodeJS.Signals): Promise<void> {
  signalEnd(all, signal)
  if (!(await haveEnded(all, 10_000))) await killAll(all)
}

/** Ends them without asking. A frozen process ends too. */
export async function killAll(processes: readonly ProcessIdentity[]): Promise<void> {
  signalAll(processes, 'SIGKILL')
  if (await haveEnded(processes, 10_000)) return
  throw new Error(`Processes ${processes.map(({ pid }) => pid).join(', ')} survive SIGKILL`)
}

/** A process that has ended but was not yet waited for counts as gone. */
function look(pid: number): { parent: number; since: string } | undefined {
  try {
    const [state, parent, since] = PROC ? readProc(pid) : readPs(pid)
    return state.startsWith('Z') ? undefined : { parent: Number(parent), since }
  } catch {
    return undefined
  }
}

function readProc(pid: number): [state: string, parent: string, since: string] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [fields[0] ?? '', fields[1] ?? '', fields[19] ?? '']
}

function readPs(pid: number): [state: string, parent: string, since: string] {
  const [state = '', parent = '', ...since] = ps('-o', 'stat=,ppid=,lstart=', '-p', String(pid)).trim().split(/\s+/)
  return [state, parent, since.join(' ')]
}

function allPids(): number[] {
  const names = PROC ? readdirSync('/proc') : ps('-axo', 'pid=').split('\n')
  return names.map(Number).filter((pid) => pid > 0)
}

function ps(...args: string[]): string {
  return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}
