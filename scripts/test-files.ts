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
 * whether they need one; each further run of the suite stands alone. The longest come first.
 */
export function lanes(adapters: readonly string[], chosen: readonly string[]): Lane[] {
  const files = chosen.length > 0 ? chosen.map((file) => relative('.', file)) : globSync(PATTERNS).toSorted()
  const allowed = files.filter((file) => chosen.length > 0 || belongs(file, adapters))
  const groups = Map.groupBy(allowed, (file) => (needsBroker(file) ? (adapterOf(file) ?? 'on brokers') : 'alone'))
  // a second run of the suite for an adapter takes as long as all else of it
  const further = [...groups].flatMap(([name, group]) => group.filter(isFurtherSuite).map((file) => ({ name, file })))
  const brokers = [...new Set(adapters.flatMap((name) => ADAPTERS[name] ?? []))]
  const main = [...Object.keys(ADAPTERS), 'on brokers', 'alone'].flatMap((name) => {
    const group = groups.get(name)?.filter((file) => !isFurtherSuite(file))
    return group?.length ? [{ files: group, brokers: name === 'alone' ? [] : (ADAPTERS[name] ?? brokers) }] : []
  })
  return [...further.map(({ name, file }) => ({ files: [file], brokers: ADAPTERS[name] ?? brokers })), ...main]
}

function isFurtherSuite(file: string): boolean {
  return /\/conformance-\w+\.test\.ts$/.test(file)
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
