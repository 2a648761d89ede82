import { readFileSync, writeFileSync } from 'node:fs'
import { createDriver, type Features } from '@jobport/core'

// Writes the table of brokers and features into the README, from what the adapters declare.
// With --check it writes nothing and fails if the table is not what it would write.

const FILE = 'README.md'
const MARKERS = /(<!-- features:start -->\n).*?(<!-- features:end -->)/s

/** A driver is made of each URL, and asked; nothing connects. */
const BROKERS: Record<string, string> = {
  'In memory': 'memory://features',
  Redis: 'redis://127.0.0.1:6379',
  PostgreSQL: 'postgres://127.0.0.1:5432/features',
  RabbitMQ: 'amqp://127.0.0.1:5672',
  NATS: 'nats://127.0.0.1:4222',
}

type Rows = { [Key in keyof Features]: [label: string, cell: (value: Features[Key]) => string] }

const YES = '✓'
const NO = 'not supported'

const ROWS: Rows = {
  delay: ['delayed jobs', (delay) => (delay ? `up to ${duration(delay.max)}, at most ${duration(delay.granularity)} late` : NO)],
  dedup: ['deduplication window', (dedup) => (dedup ? `up to ${duration(dedup.maxTtl)}` : NO)],
  priority: ['priorities', mark],
  ordered: ['equal priorities in order of arrival', mark],
  pause: ['pause for all processes', mark],
  cancel: ['cancel waiting and delayed jobs', reach],
  inspect: ['look at live jobs', reach],
  durable: ['survives restarts, shared by processes', mark],
}

const text = readFileSync(FILE, 'utf8')
const next = text.replace(MARKERS, `$1${await table()}$2`)
if (!MARKERS.test(text)) fail(`${FILE} has no <!-- features:start --> and <!-- features:end -->`)
else if (!process.argv.includes('--check')) writeFileSync(FILE, next)
else if (next !== text) fail(`the table of features in ${FILE} is out of date: node scripts/features.ts`)

async function table(): Promise<string> {
  const drivers = await Promise.all(Object.values(BROKERS).map((url) => createDriver(url)))
  const all = drivers.map(({ features }) => features)
  await Promise.all(drivers.map((driver) => driver.close()))
  const lines = [
    ['', ...Object.keys(BROKERS)],
    ['---', ...all.map(() => '---')],
  ]
  for (const key of Object.keys(ROWS) as (keyof Features)[]) lines.push(row(key, all))
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function row<Key extends keyof Features>(key: Key, all: readonly Features[]): string[] {
  const [label, cell] = ROWS[key]
  return [label, ...all.map((features) => cell(features[key]))]
}

function mark(value: boolean): string {
  return value ? YES : NO
}

function reach(value: false | 'given' | 'all'): string {
  if (value === 'given') return 'those with an id of yours'
  return mark(value === 'all')
}

function duration(ms: number): string {
  const units = [
    ['year', 365 * 86_400_000],
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  const [unit, size] = units.find(([, length]) => ms >= length) ?? ['ms', 1]
  const count = Math.round(ms / size)
  return `${count} ${unit}${unit.length > 3 && count !== 1 ? 's' : ''}`
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
