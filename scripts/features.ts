import { readFileSync, writeFileSync } from 'node:fs'
import { markdownTable, type Certificate, type Status } from '@jobport/conformance'
import type { Features } from '@jobport/core'
import { readArguments } from './arguments.ts'
import { CERTIFIED, certificateAt, FOLDER } from './certified.ts'
import { declared } from './declared.ts'

// Writes what each broker offers into the README, and what was shown of it into the guarantees: from what the adapters
// declare, and from the stored certificates. With --check it writes nothing and fails if something is not what it would write.

type Rows = { [Key in keyof Features]: readonly (readonly [label: string, cell: (value: Features[Key]) => string])[] }

const YES = '✓'
const NO = 'not supported'

const ROWS: Rows = {
  delay: [
    ['delayed jobs', (delay) => (delay ? `up to ${duration(delay.max)}, at most ${exactly(delay.granularity)} late` : NO)],
    ['delayed jobs start in order if due', (delay) => (delay ? `at least ${exactly(delay.resolution)} apart` : NO)],
  ],
  dedup: [['deduplication window', (dedup) => (dedup ? `up to ${duration(dedup.maxTtl)}` : NO)]],
  priority: [['priorities', mark]],
  ordered: [['equal priorities in order of arrival', mark]],
  pause: [['pause for all processes', mark]],
  cancel: [['cancel waiting and delayed jobs', reach]],
  inspect: [['look at live jobs', reach]],
  durable: [['survives restarts, shared by processes', mark]],
}

const SECTIONS: readonly [file: string, name: string, content: () => string | Promise<string>][] = [
  ['README.md', 'features', features],
  ['docs/guarantees.md', 'proven', proofs],
]

const { values } = readArguments('node scripts/features.ts [--check]', {
  options: { check: { type: 'boolean', default: false } },
})
for (const [file, name, content] of SECTIONS) await write(file, name, await content())

async function write(file: string, name: string, content: string): Promise<void> {
  const markers = new RegExp(`(<!-- ${name}:start -->\\n).*?(<!-- ${name}:end -->)`, 's')
  const text = readFileSync(file, 'utf8')
  const next = text.replace(markers, (_, start: string, end: string) => `${start}${content}${end}`)
  if (!markers.test(text)) fail(`${file} has no <!-- ${name}:start --> and <!-- ${name}:end -->`)
  else if (!values.check) writeFileSync(file, next)
  else if (next !== text) fail(`what stands between the marks '${name}' in ${file} is out of date: node scripts/features.ts`)
}

async function features(): Promise<string> {
  const drivers = await Promise.all(CERTIFIED.map(declared))
  const all = drivers.map(({ features }) => features)
  const lines = [['', ...CERTIFIED.map(({ title }) => title)]]
  for (const key of Object.keys(ROWS) as (keyof Features)[]) lines.push(...rowsOf(key, all))
  lines.push(['certificate', ...CERTIFIED.map(({ stem }) => verdict(stem))])
  const [head = [], ...rows] = lines
  return `${markdownTable(head, rows)}\n`
}

function rowsOf<Key extends keyof Features>(key: Key, all: readonly Features[]): string[][] {
  return ROWS[key].map(([label, cell]) => [label, ...all.map((features) => cell(features[key]))])
}

function verdict(stem: string): string {
  const certificate = certificateAt(stem)
  return certificate?.certified ? `[${certificate.level ?? 'none'}](${FOLDER}/${stem}.md)` : 'none'
}

/** A row for each broker. */
function proofs(): string {
  const rows = CERTIFIED.map(({ title, stem }) => [title, ...proof(stem)])
  const head = [
    '',
    'certificate',
    'cases passed',
    'failed',
    'delayed jobs late, p50 / p99 ms',
    'a lost worker’s job, ms',
    'torture',
  ]
  return `${markdownTable(head, rows)}\n`
}

function proof(stem: string): string[] {
  const certificate = certificateAt(stem)
  if (!certificate) return ['none', '', '', '', '', '']
  const { level, versions, cases, lateness, redelivery, date } = certificate
  const count = (...statuses: readonly Status[]): string => String(cases.filter(({ status }) => statuses.includes(status)).length)
  return [
    `[${level ?? 'none'}](certificates/${stem}.md), ${versions['server']}, ${date.slice(0, 10)}`,
    count('passed'),
    count('failed', 'unreached'),
    lateness ? `${lateness.p50} / ${lateness.p99}` : '',
    redelivery ? String(redelivery.max) : '',
    tortured(certificate),
  ]
}

function tortured({ torture }: Certificate): string {
  if (!torture) return 'none'
  const { minutes, rounds } = torture
  const sum = (what: 'accepted' | 'duplicates' | 'doubled'): string =>
    rounds.reduce((all, round) => all + round[what], 0).toLocaleString('en')
  const wrong = rounds.flatMap((round) => Object.entries(round.wrong).map(([rule, times]) => `${rule} ${times}`))
  const verdict = wrong.length === 0 ? 'nothing lost, early or stuck' : wrong.join(', ')
  return `${rounds.length} seeds × ${minutes} min, ${sum('accepted')} jobs: ${verdict}; ${sum('duplicates')} ran again, ${sum('doubled')} of two ends`
}

function mark(value: boolean): string {
  return value ? YES : NO
}

function reach(value: false | 'given' | 'all'): string {
  if (value === 'given') return 'those with an id of yours'
  return mark(value === 'all')
}

/** In whole units, rounded down: nothing is promised that is not kept. */
function duration(ms: number): string {
  const units = [
    ['year', 365 * 86_400_000],
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1_000],
  ] as const
  const [unit, size] = units.find(([, length]) => ms >= length) ?? ['ms', 1]
  const count = Math.floor(ms / size)
  return `${count} ${unit}${unit !== 'ms' && count !== 1 ? 's' : ''}`
}

function exactly(ms: number): string {
  return `${ms.toLocaleString('en')} ms`
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
