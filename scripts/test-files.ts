import { globSync } from 'node:fs'
import { relative } from 'node:path'

const PATTERNS = ['packages/*/test/**/*.test.ts', 'brokers/test/**/*.test.ts', 'examples/**/*.test.ts']

/** What each adapter needs to run its tests, the slowest first. A new adapter: one line here. */
const ADAPTERS: Record<string, readonly BrokerName[]> = {
  rabbitmq: ['rabbitmq'],
  bullmq: ['redis', 'postgres'],
  nats: ['nats'],
  memory: [],
}

export type BrokerName = 'redis' | 'postgres' | 'rabbitmq' | 'nats'

/** Files that run in one process, one after the other; lanes run beside each other. */
export interface Lane {
  readonly files: readonly string[]
  readonly brokers: readonly BrokerName[]
  /** Whether its process may have things open once its tests have ended. */
  readonly isLoose: boolean
}

/** Reads `memory,bullmq`. Absent: all. Throws on an unknown name. */
export function readAdapters(names: string | undefined): string[] {
  const known = Object.keys(ADAPTERS)
  if (names === undefined || names.trim() === '') return known
  const chosen = names.split(',').map((name) => name.trim())
  const unknown = chosen.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`ADAPTERS: unknown ${unknown.join(', ')}; known: ${known.join(', ')}`)
  return chosen
}

/**
 * Splits `chosen`, or else all test files of `adapters`: those of an adapter that needs a broker by adapter, the rest by
 * whether they need one. A suite takes as long as all else of its adapter, and saboteurs leave things open: each stands alone.
 * What stands alone comes first: it takes longest, and what remains of an adapter does not meet its suite.
 */
export function lanes(adapters: readonly string[], chosen: readonly string[]): Lane[] {
  const files = chosen.length > 0 ? chosen.map((file) => relative('.', file)) : globSync(PATTERNS).toSorted()
  const allowed = files.filter((file) => chosen.length > 0 || belongs(file, adapters))
  const all = [...new Set(adapters.flatMap((name) => ADAPTERS[name] ?? []))]
  const brokersOf = (name: string): readonly BrokerName[] => (name === 'alone' ? [] : (ADAPTERS[name] ?? all))
  const groups = Map.groupBy(allowed, (file) => (needsBroker(file) ? (adapterOf(file) ?? 'on brokers') : 'alone'))
  const names = [...Object.keys(ADAPTERS), 'on brokers', 'alone']
  const single = (which: (file: string) => boolean, isLoose: boolean): Lane[] =>
    names.flatMap((name) =>
      (groups.get(name) ?? []).filter(which).map((file) => ({ files: [file], brokers: brokersOf(name), isLoose })),
    )
  const rest = names.flatMap((name) => {
    const left = (groups.get(name) ?? []).filter((file) => !isSuite(file) && !areSaboteurs(file))
    return left.length > 0 ? [{ files: left, brokers: brokersOf(name), isLoose: false }] : []
  })
  return [...single(isSuite, false), ...single(areSaboteurs, true), ...rest]
}

function isSuite(file: string): boolean {
  return /\/conformance(-\w+)?\.test\.ts$/.test(file)
}

function areSaboteurs(file: string): boolean {
  return file.endsWith('/saboteurs.test.ts')
}

/** Files outside the adapters' folders belong to every choice, the broker helper's only to one that needs a broker. */
function belongs(file: string, adapters: readonly string[]): boolean {
  const adapter = adapterOf(file)
  if (adapter !== undefined) return adapters.includes(adapter)
  return !file.startsWith('brokers/') || adapters.some((name) => (ADAPTERS[name] ?? []).length > 0)
}

function adapterOf(file: string): string | undefined {
  return /^packages\/adapter-(\w+)\//.exec(file)?.[1]
}

function needsBroker(file: string): boolean {
  return !/^packages\/(core|conformance|adapter-memory)\//.test(file)
}
