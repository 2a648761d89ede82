import { readFileSync } from 'node:fs'

// The contract stays small: an adapter's author reads all of it. Raising a budget is a decision about every adapter.

const FILE = 'packages/core/src/driver.ts'
const LINES = 270
const MEMBERS: Record<string, number> = { Driver: 8, QueueAdmin: 10 }

const source = readFileSync(FILE, 'utf8')
const mistakes: string[] = []
const lines = source.trimEnd().split('\n').length
if (lines > LINES) mistakes.push(`${FILE} has ${lines} lines of ${LINES}`)
for (const [name, most] of Object.entries(MEMBERS)) {
  const body = new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(source)?.[1]
  const members = body?.match(/^ {2}(?:readonly )?\w+\??[:(<]/gm) ?? []
  if (members.length === 0 || members.length > most) mistakes.push(`${name} has ${members.length} members of ${most}`)
}
for (const mistake of mistakes) console.error(mistake)
process.exitCode = mistakes.length === 0 ? 0 : 1
