import { types } from 'node:util'
import { JobportError } from './errors.ts'
import type { Json } from './driver.ts'

const MAX_DEPTH = 500
/** Of one array: no broker takes the bytes of more. */
const MAX_ITEMS = 2 ** 24
/** Of a path in a message, characters. */
const MAX_PATH = 200

/** A detached copy in JSON's normal form, and an upper bound of its size. */
export interface Normal {
  readonly data: Json
  /** Never below the size in bytes of its JSON. */
  readonly atMost: number
}

/**
 * Copies `value` as JSON would: `undefined` becomes null or is left out, a Date becomes its ISO string, `toJSON` is
 * honoured. What JSON would lose or change without a word (a Map, an Error, NaN, a function) throws `INVALID_ARGUMENT`.
 */
export function normalise(value: unknown): Normal {
  const size = { bytes: 0 }
  return { data: copy(value, 'data', 0, size) ?? null, atMost: size.bytes }
}

/** `undefined` means: leave it out of the object it stands in. */
function copy(value: unknown, path: string, depth: number, size: { bytes: number }): Json | undefined {
  if (depth > MAX_DEPTH) throw invalid(path, `is circular or deeper than ${MAX_DEPTH}`)
  switch (typeof value) {
    case 'string':
      return copyText(value, path, size)
    case 'number':
      if (!Number.isFinite(value)) throw invalid(path, `is ${value}`)
      size.bytes += 25
      return value
    case 'boolean':
      size.bytes += 6
      return value
    case 'undefined':
      size.bytes += 5
      return undefined
    case 'object':
      return copyObject(value, path, depth, size)
    default:
      throw invalid(path, `is a ${typeof value}`)
  }
}

function copyText(text: string, path: string, size: { bytes: number }): string {
  if (!text.isWellFormed()) throw invalid(path, 'holds half a surrogate pair')
  if (text.includes('\0')) throw invalid(path, 'holds a NUL character, which not every broker can store')
  size.bytes += text.length * 6 + 3
  return text
}

function copyObject(value: object | null, path: string, depth: number, size: { bytes: number }): Json | undefined {
  size.bytes += 5
  if (value === null) return null
  if (value instanceof Date && Number.isNaN(value.getTime())) throw invalid(path, 'is an invalid Date')
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return copy((value.toJSON as (key: string) => unknown)(''), path, depth + 1, size)
  if (Array.isArray(value) && value.length > MAX_ITEMS) throw invalid(path, `has more than ${MAX_ITEMS} items`)
  if (Array.isArray(value)) return Array.from(value, (item: unknown, i) => copy(item, `${path}[${i}]`, depth + 1, size) ?? null)
  if (types.isBoxedPrimitive(value)) return copy(value.valueOf(), path, depth + 1, size)
  if (isOpaque(value)) throw invalid(path, `is a ${value.constructor.name}, which JSON cannot hold`)
  const result: Record<string, Json> = {}
  for (const key of Object.keys(value)) {
    const copied = copy((value as Record<string, unknown>)[key], `${path}.${key}`, depth + 1, size)
    if (copied === undefined) continue
    copyText(key, `a key of ${path}`, size)
    put(result, key, copied)
  }
  return result
}

/** An own property whatever its name: plain assignment of `__proto__` would change the prototype. */
function put(target: Record<string, Json>, key: string, value: Json): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

function isOpaque(value: object): boolean {
  return (
    types.isMap(value) ||
    types.isSet(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isRegExp(value) ||
    value instanceof Error
  )
}

function invalid(path: string, what: string): JobportError {
  const place = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path
  return new JobportError('INVALID_ARGUMENT', `${place} ${what}`)
}
