/** Bytes into which amqplib encodes a table of headers; it refuses a larger one. */
export const LARGEST_TABLE = 65_536
/**
 * Bytes that a job's own headers may take in it. What core lets through takes at most 34 KiB, and beside it an error,
 * the policy and our notes must find room.
 */
const LARGEST_OWN = 40_000
const LENGTH = 4
const ESCAPE = 'jobport-h-'
const NAME = /^[a-z0-9-]{1,64}$/
/** Ours, or the broker's to act on. */
const TAKEN = /^(jobport(-|$)|x-)/
/** Has the broker send copies to more queues. */
const COPIES = /^B?CC$/

export type Table = Readonly<Record<string, unknown>>

/** A job's headers as they travel: under another name where RabbitMQ or we would act on theirs. */
export function escaped(headers: Readonly<Record<string, string>>): Record<string, string> {
  const native: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) native[TAKEN.test(name) ? `${ESCAPE}${name}` : name] = value
  return native
}

/** The job's headers among all that a message has. */
export function unescaped(headers: Table): Record<string, string> {
  const users: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers).filter(isUsers))
    users[name.startsWith(ESCAPE) ? name.slice(ESCAPE.length) : name] = String(value)
  return users
}

/** Why a message of another client cannot be copied with all the headers that its job has; `undefined`: it can. */
export function excess(headers: Table): string | undefined {
  const size = sizeOf(Object.fromEntries(Object.entries(headers).filter(isUsers)))
  return size > LARGEST_OWN ? `its headers take ${size} bytes, more than ${LARGEST_OWN}` : undefined
}

/** A header of the job's. */
export function isUsers([name, value]: readonly [string, unknown]): boolean {
  return typeof value === 'string' && (name.startsWith(ESCAPE) || (NAME.test(name) && !TAKEN.test(name)))
}

/** Whether the broker would act on it if it were published again. */
export function isBrokers(name: string): boolean {
  return name.startsWith('x-') || COPIES.test(name)
}

/** The first ones of `entries` that find room in `bytes`, and what is left of that. What AMQP cannot write is left out. */
export function fitting(
  entries: readonly (readonly [string, unknown])[],
  bytes: number,
): { readonly kept: Table; readonly left: number } {
  let left = bytes
  const kept = entries.filter(([name, value]) => {
    const size = sizeOfField(name, value)
    if (size > left) return false
    left -= size
    return true
  })
  return { kept: Object.fromEntries(kept), left }
}

/** Bytes of a table as AMQP writes it; infinite if it cannot. */
export function sizeOf(table: Table): number {
  return Object.entries(table).reduce((sum, [name, value]) => sum + sizeOfField(name, value), LENGTH)
}

function sizeOfField(name: string, value: unknown): number {
  const length = Buffer.byteLength(name)
  if (value === undefined) return 0
  return length > 255 ? Infinity : 1 + length + 1 + sizeOfValue(value)
}

/** Without its tag. */
function sizeOfValue(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return LENGTH + Buffer.byteLength(value)
    case 'boolean':
      return 1
    case 'number':
      return Number.isSafeInteger(value) || Math.abs(value) < 2 ** 50 ? 8 : Infinity
    case 'object':
      return value === null ? 0 : sizeOfObject(value)
    default:
      return Infinity
  }
}

function sizeOfObject(value: object): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + 1 + sizeOfValue(item), LENGTH)
  if (Buffer.isBuffer(value)) return LENGTH + value.length
  if (!Object.hasOwn(value, '!')) return sizeOf(value as Table)
  // as amqplib hands out what JavaScript has no type for
  const { '!': type, value: inner } = value as { readonly '!': unknown; readonly value?: unknown }
  if (type === 'decimal') return 5
  return type === 'timestamp' && Number.isSafeInteger(inner) ? 8 : Infinity
}
