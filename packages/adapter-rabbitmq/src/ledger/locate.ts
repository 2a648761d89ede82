import { RULES, type Batch } from './entries.ts'
import { Session, type From, type LogRecord, type StreamOptions } from './session.ts'
import { encodeBatch } from './wire.ts'
import { within } from './faults.ts'

/** The message by which a process says `open`; read back, it has read everything before. A writer of its own, used once. */
export function openingBatch(writer: string, epoch: string, memory: number): Batch {
  const entries = [{ type: 'open', epoch, memory }] as const
  return { rules: RULES, epoch: '', writer, seq: 1, seen: 0, snapshot: -1, at: Date.now(), entries }
}

/**
 * Where the newest complete snapshot began, as the log's last messages say; `first` without one. Appends `opening`,
 * so that even an empty log answers.
 */
export async function locate(options: StreamOptions, opening: Batch): Promise<number | 'first'> {
  let record = await peek(options, 'last', opening)
  for (let back = 1; record.offset > 0 && knowsNothing(record); back *= 2) {
    const from = Math.max(0, record.offset - back)
    record = await peek(options, from)
    // what came before is cut off
    if (record.offset > from + 1) break
  }
  const known = record.batch?.snapshot ?? -1
  return known < 0 ? 'first' : known
}

/** Its writer was just starting. */
function knowsNothing({ batch }: LogRecord): boolean {
  return batch === undefined || batch.epoch === ''
}

/** The first message from there on. */
async function peek(options: StreamOptions, from: From, append?: Batch): Promise<LogRecord> {
  const session = await Session.open(options)
  try {
    const { promise, resolve } = Promise.withResolvers<LogRecord>()
    await session.follow(from, resolve, { prefetch: 1 })
    if (append) session.append(encodeBatch(append))
    const ended = session.ended.then((error) => Promise.reject(error))
    return await within(2_000, `ledger ${options.stream}: read`, Promise.race([promise, ended]))
  } finally {
    await session.close()
  }
}
