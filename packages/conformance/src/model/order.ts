import type { Features } from '@jobport/core/driver'
import { isGiven, type ModelJob } from './model-job.ts'

/** Why `first` must start before `second`, where both wait and a lone worker takes one at a time; nothing if either may. */
export function precedence(first: ModelJob, second: ModelJob, features: Features): string | undefined {
  const [one, other] = [first, second].map(({ message }) => message.priority ?? 0) as [number, number]
  if (features.priority && one !== other) return one < other ? `its priority is ${one}, not ${other}` : undefined
  return features.ordered ? orderOf(first, second, features) : undefined
}

function orderOf(first: ModelJob, second: ModelJob, { delay, inspect }: Features): string | undefined {
  const [one, other] = [first.place, second.place]
  if (one.kind === 'handed back' && other.kind === 'handed back') {
    return one.tick === other.tick && one.order < other.order ? 'it came first, and both were handed back at once' : undefined
  }
  // where only given ids are kept in a ledger, those of one addMany go another way than the others
  if (inspect === 'given' && isGiven(first) !== isGiven(second)) return undefined
  if (one.kind === 'arrived' && other.kind === 'arrived') return one.order < other.order ? 'it came first' : undefined
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
