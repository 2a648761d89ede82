import { RULES, type Batch, type Entry } from './entries.ts'

type Kind = 'text' | 'number' | 'flag' | 'text?' | 'number?' | 'from?' | 'error'
type Layout = { readonly [T in Entry['type']]: { readonly [K in Exclude<keyof Extract<Entry, { type: T }>, 'type'>]-?: Kind } }

/** The fields of each entry in the order in which they are written, after its type. */
const layout: Layout = {
  claim: {
    id: 'text',
    uid: 'text',
    copy: 'text',
    seen: 'number',
    until: 'number?',
    dueAt: 'number?',
    from: 'from?',
    body: 'text?',
  },
  probe: { id: 'text' },
  start: { uid: 'text', run: 'text', copy: 'text', tok: 'number', over: 'text?' },
  end: { uid: 'text', run: 'text' },
  again: { uid: 'text', run: 'text', copy: 'text', attempt: 'number', dueAt: 'number?' },
  dead: { uid: 'text', run: 'text', reason: 'text', error: 'error' },
  buried: { uid: 'text', letter: 'text' },
  cleared: { uid: 'text' },
  release: { uid: 'text', run: 'text' },
  remove: { id: 'text' },
  purge: {},
  dropped: { uid: 'text', copy: 'text' },
  open: { epoch: 'text', memory: 'number' },
  begin: {},
  part: { of: 'number', index: 'number', last: 'flag' },
}

const fields = new Map<string, readonly [name: string, kind: Kind][]>(
  Object.entries(layout).map(([type, kinds]) => [type, Object.entries<Kind>(kinds)]),
)

/** A line of JSON, `[rules, epoch, writer, seq, seen, snapshot, at, entries]`; the bytes of a `part` follow it. */
export function encodeBatch({ rules, epoch, writer, seq, seen, snapshot, at, entries }: Batch, payload?: Uint8Array): Buffer {
  const line = JSON.stringify([rules, epoch, writer, seq, seen, snapshot, at, entries.map(toRow)])
  return payload ? Buffer.concat([Buffer.from(`${line}\n`), payload]) : Buffer.from(line)
}

export interface Decoded {
  readonly batch: Batch
  /** Of a part. */
  readonly payload?: Buffer
}

/** `undefined`: no message of ours, which all followers pass over. Of newer rules only the number is read. */
export function decodeBatch(content: Buffer): Decoded | undefined {
  const end = content.indexOf(10)
  const batch = readBatch(parse(content.toString('utf8', 0, end < 0 ? undefined : end)))
  return batch && { batch, ...(end >= 0 && { payload: content.subarray(end + 1) }) }
}

function toRow(entry: Entry): unknown[] {
  const row: unknown[] = [entry.type]
  for (const [name] of fields.get(entry.type)!) row.push((entry as unknown as Record<string, unknown>)[name] ?? null)
  while (row.at(-1) === null) row.pop()
  return row
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function readBatch(value: unknown): Batch | undefined {
  if (!Array.isArray(value)) return undefined
  const [rules, epoch, writer, seq, seen, snapshot, at, rows] = value as unknown[]
  if (!isNumber(rules)) return undefined
  if (rules > RULES) return { rules, epoch: '', writer: '', seq: 0, seen: 0, snapshot: -1, at: 0, entries: [] }
  if (typeof epoch !== 'string' || typeof writer !== 'string' || !Array.isArray(rows)) return undefined
  if (!isNumber(seq) || !isNumber(seen) || !isNumber(snapshot) || !isNumber(at)) return undefined
  const entries = rows.map(fromRow)
  return entries.every((entry) => entry !== undefined) ? { rules, epoch, writer, seq, seen, snapshot, at, entries } : undefined
}

function fromRow(row: unknown): Entry | undefined {
  if (!Array.isArray(row)) return undefined
  const values = row as unknown[]
  const type = values[0]
  const names = typeof type === 'string' ? fields.get(type) : undefined
  if (!names) return undefined
  const entry: Record<string, unknown> = { type }
  let at = 0
  for (const [name, kind] of names) {
    const value = values[++at] ?? undefined
    if (!fits(value, kind)) return undefined
    if (value !== undefined) entry[name] = value
  }
  return entry as unknown as Entry
}

function fits(value: unknown, kind: Kind): boolean {
  if (value === undefined) return kind.endsWith('?')
  switch (kind) {
    case 'text':
    case 'text?':
      return typeof value === 'string'
    case 'number':
    case 'number?':
      return isNumber(value)
    case 'flag':
      return typeof value === 'boolean'
    case 'from?':
      return isRecord(value) && typeof value['uid'] === 'string' && typeof value['letter'] === 'string'
    case 'error':
      return isRecord(value) && typeof value['name'] === 'string' && typeof value['message'] === 'string'
  }
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
