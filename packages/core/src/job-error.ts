import { inspect, types } from 'node:util'

/** A thrown value as plain data, as far as a broker can carry it beside the job. Never turned back into an instance of anything. */
export interface JobError {
  /** At most 256 bytes. Sizes are those of the text in JSON. */
  readonly name: string
  /** At most 4 KiB. */
  readonly message: string
  /** At most 16 KiB. */
  readonly stack?: string
}

const MAX_NAME = 256
const MAX_MESSAGE = 4_096
const MAX_STACK = 16_384
/** What is left of a message when the broker refuses the whole error. */
const MAX_BARE = 256

/**
 * Reads any thrown value, however hostile: a getter that throws, a name that is no string, a revoked proxy. The texts are
 * well formed and hold no NUL; what is cut ends in `…`.
 */
export function toJobError(thrown: unknown): JobError {
  const stack = read(thrown, 'stack')
  return {
    name: cut(read(thrown, 'name') ?? 'Error', MAX_NAME),
    message: cut(read(thrown, 'message') ?? show(thrown), MAX_MESSAGE),
    ...(stack !== undefined && { stack: cut(stack, MAX_STACK) }),
  }
}

/** The same error with a short message and no stack. */
export function bareError({ name, message }: JobError): JobError {
  return { name, message: cut(message, MAX_BARE) }
}

/** Whatever was thrown, as an `Error` whose `name`, `message` and `stack` can be read. */
export function toError(thrown: unknown): Error {
  if (isReadable(thrown)) return thrown
  // oxlint-disable-next-line typescript/no-deprecated -- Error.isError needs Node 24
  const { name, message } = types.isNativeError(thrown) ? toJobError(thrown) : { name: 'Error', message: show(thrown) }
  const error = new Error(message, { cause: thrown })
  if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return error
}

function isReadable(thrown: unknown): thrown is Error {
  try {
    // oxlint-disable-next-line typescript/no-deprecated -- Error.isError needs Node 24
    if (!(thrown instanceof Error) && !types.isNativeError(thrown)) return false
    const { name, message, stack } = thrown as { readonly [Key in keyof Error]: unknown }
    return typeof name === 'string' && typeof message === 'string' && (stack === undefined || typeof stack === 'string')
  } catch {
    return false
  }
}

/** A field of an object as text; absent if there is none or reading it throws. */
function read(thrown: unknown, field: 'name' | 'message' | 'stack'): string | undefined {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined
  try {
    const value = (thrown as Partial<Record<typeof field, string>>)[field]
    return value === undefined ? undefined : String(value)
  } catch {
    return undefined
  }
}

function show(thrown: unknown): string {
  try {
    return inspect(typeof thrown === 'object' ? beginning(thrown) : thrown, {
      depth: 1,
      maxArrayLength: 20,
      maxStringLength: 1_000,
    })
  } catch {
    return 'a value that cannot be shown'
  }
}

/** The value, or its first fields: `inspect` reads all of them, however many there are. */
function beginning(value: object | null): unknown {
  if (value === null || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.slice(0, FIELDS).some(isWide) ? value.slice(0, FIELDS).map(shortened) : value
  const keys = Object.keys(value)
  const isBig = keys.length > FIELDS || Object.values(value).some(isWide)
  if (!isBig) return value
  const fields = value as Record<string, unknown>
  return Object.fromEntries(keys.slice(0, FIELDS).map((key) => [key, shortened(fields[key])]))
}

const FIELDS = 20

function shortened(field: unknown): unknown {
  return isWide(field) ? '…' : field
}

/** Of a list only the first items are read; a buffer has a key for each byte. */
function isWide(field: unknown): boolean {
  if (typeof field !== 'object' || field === null || Array.isArray(field) || ArrayBuffer.isView(field)) return false
  return Object.keys(field).length > FIELDS
}

/** The longest well-formed beginning of `text` that JSON holds in `most` bytes, without NUL. */
function cut(text: string, most: number): string {
  // a character takes 1 byte at least and 6 at most
  const clean = text
    .slice(0, most + 1)
    .toWellFormed()
    .replaceAll('\0', '\ufffd')
  if (text.length * 6 <= most) return clean
  let size = 0
  let end = 0
  let room = 0
  for (const character of clean) {
    size += sizeInJson(character)
    if (size > most) return `${clean.slice(0, room)}…`
    end += character.length
    if (size <= most - ELLIPSIS) room = end
  }
  return clean
}

/** Bytes of `…`. */
const ELLIPSIS = 3

function sizeInJson(character: string): number {
  const code = character.codePointAt(0)!
  if (code < 0x20) return SHORT_ESCAPES.includes(character) ? 2 : 6
  if (code < 0x80) return character === '"' || character === '\\' ? 2 : 1
  if (code < 0x800) return 2
  return code < 0x10000 ? 3 : 4
}

const SHORT_ESCAPES = '\b\t\n\f\r'
