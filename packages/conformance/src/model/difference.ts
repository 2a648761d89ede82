import { AssertionError } from 'chai'
import { isDeepStrictEqual } from 'node:util'

/** What was seen breaks a promise. */
export class Difference extends AssertionError<undefined> {}

export function differ(text: string): never {
  throw new Difference(text)
}

/** Each field in which the two differ, by its path, with both values in full. */
export function differences(expected: unknown, seen: unknown, path = ''): string[] {
  if (isDeepStrictEqual(expected, seen)) return []
  if (!isRecord(expected) || !isRecord(seen)) return [`${path || 'it'} is ${show(seen)}, not ${show(expected)}`]
  const keys = new Set([...Object.keys(expected), ...Object.keys(seen)])
  const inside = [...keys].flatMap((key) => {
    const at = path ? `${path}.${key}` : key
    if (!Object.hasOwn(seen, key)) return [`${at} is missing, not ${show(expected[key])}`]
    if (!Object.hasOwn(expected, key)) return [`${at} is ${show(seen[key])}, and should not be there`]
    return differences(expected[key], seen[key], at)
  })
  return inside.length > 0 ? inside : [`${path || 'it'} is ${show(seen)}, not ${show(expected)}`]
}

export function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
