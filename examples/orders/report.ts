import { styleText } from 'node:util'
import type { BrokersWord, Ledger, Row } from './ledger.ts'
import type { Shop } from './shop.ts'

export interface Run {
  readonly ledger: Ledger
  readonly shop: Shop
  readonly word: BrokersWord
  /** Empty, if all is well. */
  readonly mistakes: readonly string[]
  readonly seconds: number
  readonly server: string
}

/** With their signs they are the sum that must hold. */
const COLUMNS: readonly (readonly [name: keyof Row, sign: string])[] = [
  ['accepted', ' = '],
  ['completed', ' + '],
  ['dead', ' + '],
  ['removed', ' + '],
  ['live', '    '],
  ['retries', ''],
]

export function report({ ledger, shop, word, mistakes, seconds, server }: Run): void {
  const sum = sumOf(ledger, word)
  const lines = [
    `${shop.paid.size + shop.cancelled.size} orders: ${shop.paid.size} paid, ${shop.cancelled.size} cancelled.`,
    `${ledger.duplicates} duplicates refused, ${ledger.redriven} dead letters redriven.`,
    `${seconds.toFixed(1)} s on ${server}.`,
    '',
    mistakes.length === 0 ? styleText('green', `✓ ${sum}`) : styleText('red', `✗ ${sum}`),
    styleText('dim', "  dead and live by the broker's count, dead letters compared one by one"),
    ...mistakes.map((mistake) => styleText('red', `✗ ${mistake}`)),
  ]
  console.log(`\n${table(ledger)}\n\n${lines.map((line) => `  ${line}`).join('\n')}\n`)
}

export function count(number: number): string {
  return Math.round(number).toLocaleString('en')
}

function table(ledger: Ledger): string {
  const head = line('', (name) => name, { signs: true })
  const rows = [...ledger.rows()].map(([kind, row]) => line(kind, (name) => count(row[name])))
  const total = ledger.total()
  const all = line('all', (name) => count(total[name]))
  const rule = `  ${'─'.repeat(head.length - 2)}`
  return [styleText('dim', head), ...rows, styleText('dim', rule), styleText('bold', all)].join('\n')
}

function line(kind: string, cell: (name: keyof Row) => string, { signs = false } = {}): string {
  const cells = COLUMNS.map(([name, sign]) => cell(name).padStart(name.length) + (signs ? sign : ' '.repeat(sign.length)))
  return `  ${kind.padEnd(13)}${cells.join('')}`
}

/** What died and what lives, in the broker's own numbers. */
function sumOf(ledger: Ledger, { counts: { waiting, delayed, active, dead } }: BrokersWord): string {
  const { accepted, completed, removed } = ledger.total()
  const live = waiting + delayed + active
  return `${count(accepted)} accepted = ${count(completed)} completed + ${count(dead)} dead + ${count(removed)} removed + ${count(live)} live`
}
