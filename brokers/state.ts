import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerName } from './broker.ts'
import { unmountDisk } from './disk.ts'
import { endAll, family, identify, isAlive, type ProcessIdentity } from './processes.ts'
import { cacheFolder } from './programs.ts'
import { recipes } from './recipes.ts'

/** What is known on disk about a broker of ours, so that somebody can end it after its owner was killed. */
export interface BrokerState {
  readonly name: BrokerName
  readonly url: string
  readonly owner: ProcessIdentity
  /** Made by `up`: it stays until `down`. */
  readonly kept: boolean
  /** Of a local broker. */
  readonly process?: ProcessIdentity
  readonly folder?: string
  /** Of one in a container. */
  readonly container?: string
}

export interface StateFile {
  write(changes: Partial<BrokerState>): void
  remove(): void
}

/** One file per broker, named by its owner and port, which no two have in common. */
export function stateFile(name: BrokerName, url: string, kept: boolean): StateFile {
  const owner = identify(process.pid)
  if (!owner) throw new Error('The system does not tell when this process started')
  const path = join(stateFolder(), `${name}-${process.pid}-${new URL(url).port}.json`)
  let state: BrokerState = { name, url, owner, kept }
  return {
    write(changes) {
      state = { ...state, ...changes }
      mkdirSync(stateFolder(), { recursive: true })
      writeFileSync(`${path}.new`, JSON.stringify(state))
      renameSync(`${path}.new`, path)
    },
    remove: () => rmSync(path, { force: true }),
  }
}

export function readStates(): { state: BrokerState; path: string }[] {
  return filesIn(stateFolder()).flatMap((path) => {
    try {
      return [{ path, state: JSON.parse(readFileSync(path, 'utf8')) as BrokerState }]
    } catch {
      return []
    }
  })
}

/** Ends the local brokers whose owner is gone. Those in containers are left to who can talk to their engine. */
export async function sweep(): Promise<void> {
  for (const { state, path } of orphans()) {
    if (state.container !== undefined) continue
    if (state.process && isAlive(state.process)) await endAll(family(state.process), recipes[state.name].local.endSignal)
    if (state.folder !== undefined) {
      const data = join(state.folder, 'data')
      recipes[state.name].local.discard?.(data)
      unmountDisk(data)
      // another process may be at it as well
      rmSync(state.folder, { recursive: true, force: true, maxRetries: 5 })
    }
    rmSync(path, { force: true })
  }
}

export function orphans(): { state: BrokerState; path: string }[] {
  return readStates().filter(({ state }) => !isAlive(state.owner))
}

function stateFolder(): string {
  return join(cacheFolder(), 'running')
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}
