import { globSync, readFileSync } from 'node:fs'

// Every case id that a document names is a case of the suite, and every line of a table of guarantees, one with a
// column of cases, names one.
// A guarantee that an adapter's own test shows links to that; one that nothing tests yet says "not tested".

const GUARANTEES = 'docs/guarantees.md'
const ID = /\b[A-Z]{2,4}-(?:\d{2}|K\d)\b/g

const { cases } = JSON.parse(readFileSync('packages/conformance/cases.json', 'utf8')) as { cases: { id: string }[] }
const known = new Set(cases.map(({ id }) => id))
const mistakes = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md']).flatMap(unknownIds)
mistakes.push(...tableRows(GUARANTEES).filter(isUntested))
for (const mistake of mistakes) console.error(mistake)
process.exitCode = mistakes.length === 0 ? 0 : 1

function unknownIds(file: string): string[] {
  const ids = readFileSync(file, 'utf8').match(ID) ?? []
  return [...new Set(ids)].filter((id) => !known.has(id)).map((id) => `${file}: ${id} is no case of the suite`)
}

/** Of the bodies of such tables, with where they stand. */
function tableRows(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  const isRow = (at: number): boolean => lines[at]?.startsWith('|') === true
  const headOf = (at: number): number => (isRow(at - 1) ? headOf(at - 1) : at)
  const isBody = (at: number): boolean => isRow(at) && at > headOf(at) + 1 && lines[headOf(at)]?.endsWith('| Case |') === true
  return lines.flatMap((line, at) => (isBody(at) ? [`${file}:${at + 1}: no case: ${line}`] : []))
}

function isUntested(row: string): boolean {
  return row.search(ID) < 0 && !row.includes('.test.ts)') && !row.includes('not tested')
}
