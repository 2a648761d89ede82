import type { Records } from './records.ts'
import type { StoredRecord } from './stored-record.ts'

const FIRST_STEP = 1_024
const GROWTH = 4
const PAGE = 1_000

/**
 * Up to `limit` records of `filter` below sequence `below`, newest first. The server walks forwards only: so, from the
 * end, ever larger steps back, each walked forwards.
 */
export async function newest(
  records: Records,
  filter: string,
  limit: number,
  below: number,
): Promise<{ records: StoredRecord[]; more: boolean }> {
  const last = await records.last(filter)
  const oldest = last && (await records.page(filter, 1, 1)).records[0]
  if (!last || !oldest) return { records: [], more: false }
  const found: StoredRecord[] = []
  let end = Math.min(below, last.seq + 1)
  for (let step = FIRST_STEP; found.length <= limit && end > oldest.seq; step *= GROWTH) {
    const from = Math.max(oldest.seq, end - step)
    found.unshift(...(await between(records, filter, from, end)))
    end = from
  }
  return { records: found.slice(-limit).toReversed(), more: found.length > limit }
}

async function between(records: Records, filter: string, from: number, end: number): Promise<StoredRecord[]> {
  const all: StoredRecord[] = []
  for (let next = from; next < end; ) {
    const page = await records.page(filter, next, PAGE)
    all.push(...page.records.filter(({ seq }) => seq < end))
    const last = page.records.at(-1)
    if (!last || page.left === 0) break
    next = last.seq + 1
  }
  return all
}
