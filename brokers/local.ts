import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OpenOptions } from './broker.ts'
import { canMount, mountDisk, setDiskFull, unmountDisk } from './disk.ts'
import type { Handle } from './handle.ts'
import { freePort } from './ports.ts'
import {
  endAll,
  endAllNow,
  family,
  freeze,
  haveEnded,
  identify,
  isAlive,
  killAll,
  signalAll,
  type ProcessIdentity,
} from './processes.ts'
import { obtainPrograms } from './programs.ts'
import type { Account, Place, Recipe } from './recipe.ts'
import { stateFile, sweep, type StateFile } from './state.ts'

const HOST = '127.0.0.1'
const STOP_DEADLINE = 20_000

/** Makes a broker out of programs of this machine; it does not run yet. */
export async function makeLocal(recipe: Recipe, { port, settings = {}, disk }: OpenOptions, kept: boolean): Promise<Handle> {
  await sweep()
  const programs = await obtainPrograms(recipe)
  const folder = mkdtempSync(join(tmpdir(), `jobport-${recipe.name}-`))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const account = recipe.local.unprivileged && process.getuid?.() === 0 ? findAccount() : undefined
  for (const path of account ? [folder, data] : []) chownSync(path, account?.uid ?? 0, account?.gid ?? 0)
  const size = canMount() ? disk : undefined
  const place: Place = { programs, data, ...(account && { account }), ...(size !== undefined && { hasDisk: true }) }
  try {
    if (size !== undefined) await mountDisk(data, size, account)
    await recipe.local.prepare(place)
    const number = port ?? (await freePort())
    return new LocalHandle(recipe, place, folder, recipe.local.command(place, number, settings), number, kept)
  } catch (error) {
    unmountDisk(data)
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

class LocalHandle implements Handle {
  readonly url: string
  readonly host = HOST
  readonly port: number
  readonly setFull?: (full: boolean) => Promise<void>
  readonly stall?: (queue: string, ms: number) => Promise<void>
  readonly setDiskFull?: (full: boolean) => Promise<void>
  readonly #recipe: Recipe
  readonly #place: Place
  readonly #folder: string
  readonly #command: readonly string[]
  readonly #state: StateFile
  #process: ProcessIdentity | undefined
  /** Resolves once it has been reaped: until then PostgreSQL thinks that an old server is alive. */
  #reaped: Promise<unknown> | undefined

  constructor(recipe: Recipe, place: Place, folder: string, command: readonly string[], port: number, kept: boolean) {
    this.url = recipe.url(HOST, port)
    this.port = port
    this.#recipe = recipe
    this.#place = place
    const { setFull, stall } = recipe.local
    if (setFull) this.setFull = (full) => setFull(place, full)
    if (stall) this.stall = (queue, ms) => stall(place, queue, ms)
    if (place.hasDisk) this.setDiskFull = (full) => setDiskFull(place.data, full)
    this.#folder = folder
    this.#command = command
    this.#state = stateFile(recipe.name, this.url, kept)
    this.#state.write({ folder })
  }

  /** In a process group of its own, so that Ctrl-C at a terminal reaches us and not it. */
  async start(): Promise<void> {
    await this.#reaped
    const [program = '', ...args] = this.#command
    const log = openSync(this.#log, 'a')
    const { account } = this.#place
    const child = spawn(program, args, { ...account, cwd: this.#place.data, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    child.unref()
    this.#reaped = new Promise((resolve) => child.once('exit', resolve).once('error', resolve))
    this.#process = child.pid === undefined ? undefined : identify(child.pid)
    await once(child, 'spawn')
    if (this.#process) this.#state.write({ process: this.#process })
  }

  async stop(): Promise<void> {
    const all = this.#family()
    signalAll(all.slice(0, 1), this.#recipe.stopSignal)
    if (await haveEnded(all, STOP_DEADLINE)) return
    await killAll(all)
    throw new Error(`${this.#recipe.title} did not stop within ${STOP_DEADLINE} ms and was killed\n${this.#tail()}`)
  }

  async kill(): Promise<void> {
    await this.#freezeParent()
    await killAll(this.#family())
  }

  async pause(): Promise<void> {
    await this.#freezeParent()
    signalAll(this.#family(), 'SIGSTOP')
  }

  resume(): Promise<void> {
    signalAll(this.#family().toReversed(), 'SIGCONT')
    return Promise.resolve()
  }

  async remove(): Promise<void> {
    await endAll(this.#family(), this.#recipe.local.endSignal)
    this.#clear()
  }

  abandon(): void {
    endAllNow(this.#family(), this.#recipe.local.endSignal)
    this.#clear()
  }

  failure(): Promise<string | undefined> {
    return Promise.resolve(this.#process && isAlive(this.#process) ? undefined : `it ended by itself\n${this.#tail()}`)
  }

  /** From here on it makes no more children, so that its family is all there is. */
  async #freezeParent(): Promise<void> {
    const [parent] = this.#family()
    if (parent) await freeze(parent)
  }

  #family(): ProcessIdentity[] {
    return this.#process && isAlive(this.#process) ? family(this.#process) : []
  }

  #clear(): void {
    try {
      this.#recipe.local.discard?.(this.#place.data)
      if (this.#place.hasDisk) unmountDisk(this.#place.data)
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
      this.#state.remove()
    } catch {
      // a process on its way out still writes there: the next sweep comes by
    }
  }

  get #log(): string {
    return join(this.#folder, 'log')
  }

  #tail(): string {
    return readFileSync(this.#log, 'utf8').trim().split('\n').slice(-10).join('\n')
  }
}

/** Somebody who is not root: the account that Debian makes for the server, else nobody. */
/** Of somebody who is not root. */
export function findAccount(): Account {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const found = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody')
  if (!found) throw new Error('It refuses to run as root, and there is neither a user postgres nor nobody')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}
