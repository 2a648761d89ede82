import { JobportError } from './errors.ts'
import { isPlain } from './plain.ts'

/** The grammar of names, the same on all brokers; adapters encode what their broker cannot hold. */
const QUEUE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
const HEADER = /^[a-z0-9-]{1,64}$/
const CONTROL = /\p{Cc}/u
const MAX_JOB_NAME = 100
const MAX_ID_BYTES = 200
const MAX_HEADERS = 64
const MAX_HEADER_BYTES = 4_096
/** Of all names and values. Headers and an error together fit the 64 KiB that brokers have beside a payload. */
const MAX_HEADERS_BYTES = 32 * 1_024

export function checkQueueName(name: unknown): asserts name is string {
  if (typeof name === 'string' && QUEUE.test(name)) return
  throw invalid('queue name', name, 'must be 1–100 of A–Z a–z 0–9 . _ -, first a letter or digit')
}

export function checkJobName(name: unknown): asserts name is string {
  const fits = isText(name) && name.length >= 1 && name.length <= MAX_JOB_NAME && name.trim() === name
  if (!fits) throw invalid('job name', name, 'must be 1–100 characters, no control characters, no blank at either end')
}

export function checkId(id: unknown): asserts id is string {
  if (isText(id) && id.length >= 1 && bytes(id) <= MAX_ID_BYTES) return
  throw invalid('id', id, 'must be a string of 1–200 bytes of UTF-8 without control characters')
}

export function checkHeaders(headers: unknown): asserts headers is Record<string, string> {
  if (!isPlain(headers)) throw invalid('headers', headers, 'must be a plain object')
  const entries = Object.entries(headers)
  if (entries.length > MAX_HEADERS) throw invalid('headers', entries.length, `must be at most ${MAX_HEADERS}`)
  let size = 0
  for (const [name, value] of entries) {
    if (!HEADER.test(name)) throw invalid('header name', name, 'must be 1–64 of a–z 0–9 -')
    if (name.startsWith('jobport-')) throw invalid('header name', name, "must not begin with 'jobport-'")
    if (!isText(value) || bytes(value) > MAX_HEADER_BYTES)
      throw invalid(`header ${name}`, typeof value, 'must be a string up to 4 KiB without control characters')
    size += name.length + bytes(value)
  }
  if (size > MAX_HEADERS_BYTES) throw invalid('headers', `of ${size} bytes`, 'must be at most 32 KiB, names and values together')
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !CONTROL.test(value)
}

function bytes(text: string): number {
  return Buffer.byteLength(text)
}

function invalid(what: string, value: unknown, rule: string): JobportError {
  return new JobportError('INVALID_ARGUMENT', `${what} ${show(value)} ${rule}`)
}

/** Runs no code of the value's. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '(an array)' : '(an object)'
  return typeof value === 'function' ? '(a function)' : String(value)
}
