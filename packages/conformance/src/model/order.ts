import type { Features } from '@jobport/core/driver'
import { isGiven, type ModelJob } from './model-job.ts'

/** Why `first` must start before `second`, where both wait and a lone worker takes one at a time; nothing if either may. */
export function precedence(first: ModelJob, second: ModelJob, features: Features): string | undefined {
  const wentBack = [first, second].some(({ place }) => place.kind === 'handed back')
  // where a ledger knows some jobs only, the queue itself says what becomes of those that go back: it may serve them first
  if (features.inspect === 'given' && wentBack) return undefined
  const [one, other] = [first, second].map(({ message }) => message.priority ?? 0) as [number, number]
  if (features.priority && one !== other) return one < other ? `its priority is ${one}, not ${other}` : undefined
  return features.ordered ? orderOf(first, second, features) : undefined
}

function orderOf(first: ModelJob, second: ModelJob, { delay }: Features): string | undefined {
  const [one, other] = [first.place, second.place]
  if (one.kind === 'handed back' && other.kind === 'handed back') {
    return one.tick === other.tick && one.order < other.order ? 'it came first, and both were handed back at once' : undefined
  }
  if (one.kind === 'arrived' && other.kind === 'arrived') {
    const isTogether = one.together !== undefined && one.together === other.together
    // a broker may have to ask who holds an id before it takes the job
    if (isTogether && (isGiven(first) || isGiven(second))) return undefined
    // what was under way at the same time came in an order of its own
    return one.order < (isTogether ? other.order : other.since) ? 'it came first' : undefined
  }
  if (one.kind === 'due' && other.kind === 'due') {
    const apart = other.at.from - one.at.to
    const resolution = delay ? delay.resolution : Infinity
    return apart >= resolution ? `it was due ${apart} ms earlier` : undefined
  }
  if (one.kind === 'arrived' && other.kind === 'due' && one.at.to < other.at.from)
    return 'it waited already when the other one was due'
  // whether what was handed back comes before or behind its equals is the broker's
  return undefined
}
