import { JobportError } from '@jobport/core/driver'
import { VirtualClock } from './clock.ts'

export interface MemoryOptions {
  /** Drivers of one process that name the same store share its queues. Default: a store of its own. */
  readonly store?: string
  /** Delays and backoff by a clock that only `advance` and `drain` move. Default: real time. */
  readonly clock?: VirtualClock
  /** Largest payload in bytes of JSON. Default 16 MiB. */
  readonly maxPayload?: number
}

/** Reads `memory://`, `memory://store`, or an options object. Throws `INVALID_CONFIG`. */
export function readOptions(
  config: string | MemoryOptions,
): Required<Omit<MemoryOptions, 'clock'>> & Pick<MemoryOptions, 'clock'> {
  const { store = '', clock, maxPayload = 16 * 1_048_576, ...rest } = typeof config === 'string' ? readUrl(config) : config
  const mistakes = Object.keys(rest).map((key) => `unknown option '${key}' (known: store, clock, maxPayload)`)
  if (typeof store !== 'string') mistakes.push('store must be a string')
  if (clock !== undefined && !(clock instanceof VirtualClock)) mistakes.push('clock must be a VirtualClock')
  if (!Number.isInteger(maxPayload) || maxPayload < 1) mistakes.push('maxPayload must be bytes ≥ 1')
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `memory: ${mistakes.join('; ')}`)
  return { store, maxPayload, ...(clock && { clock }) }
}

function readUrl(url: string): MemoryOptions {
  if (!URL.canParse(url)) throw new JobportError('INVALID_CONFIG', 'memory: the URL must be memory:// or memory://store')
  const { host, pathname, hash, searchParams } = new URL(url)
  const beside = { ...(pathname.length > 1 && { path: pathname }), ...(hash && { fragment: hash }) }
  return { ...Object.fromEntries(searchParams), ...beside, store: host }
}
