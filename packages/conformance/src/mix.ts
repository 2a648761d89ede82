import { JobportError, type Queue } from '@jobport/core'
import { pause } from './wait.ts'
import type { Features } from '@jobport/core/driver'

type Verb = 'add' | 'remove' | 'purge' | 'redrive' | 'redriveAll' | 'bury' | 'clear'

/** One deed, drawn beforehand, so that a seed gives the same plan whatever the timing. */
export interface Step {
  readonly verb: Verb
  readonly id: string
  readonly attempts: number
  readonly delay: number
}

/** What a hand has done to the queue. A redriven job is the old one gone and a new one accepted: it changes no sum. */
export interface Deeds {
  /** Uids. */
  readonly accepted: string[]
  removed: number
  redriven: number
}

/** Of a hundred steps, so many; the rest are adds. */
const SHARES: Record<Exclude<Verb, 'add'>, number> = { remove: 10, redrive: 14, bury: 6, redriveAll: 3, purge: 2, clear: 1 }
/** Between two steps, ms. */
const PACE = 2
/** Few enough that hands get into each other's way. */
const IDS = 20

export function planOf(count: number, random: () => number, { cancel, delay }: Features): Step[] {
  const verbs = Object.entries(SHARES).flatMap(([verb, share]) => Array.from({ length: share }, () => verb as Verb))
  const possible = verbs.filter((verb) => (verb !== 'remove' || cancel !== false) && (verb !== 'purge' || cancel === 'all'))
  const below = (limit: number): number => Math.floor(random() * limit)
  return Array.from({ length: count }, () => ({
    verb: possible[below(100)] ?? 'add',
    id: `mix-${below(IDS)}`,
    attempts: 1 + below(3),
    delay: delay && random() < 0.3 ? below(30) : 0,
  }))
}

/** Does it all, step by step. */
export async function operate(queue: Queue, plan: readonly Step[]): Promise<Deeds> {
  const deeds: Deeds = { accepted: [], removed: 0, redriven: 0 }
  for (const step of plan) {
    await act(queue, step, deeds)
    // a broker that answers at once would let no job die meanwhile
    await pause(PACE)
  }
  return deeds
}

async function act(queue: Queue, { verb, id, attempts, delay }: Step, deeds: Deeds): Promise<void> {
  const { deadLetters } = queue
  switch (verb) {
    case 'add': {
      const { added, uid } = await queue.add('mix', id, { id, attempts, ...(delay > 0 && { delay }) })
      if (added) deeds.accepted.push(uid)
      return
    }
    case 'remove':
      deeds.removed += Number(await queue.remove(id))
      return
    case 'purge':
      deeds.removed += await queue.purge()
      return
    case 'redrive':
      deeds.redriven += Number(await redrive(queue, id))
      return
    case 'redriveAll':
      deeds.redriven += (await deadLetters.redriveAll()).redriven
      return
    case 'bury':
      deeds.removed += Number(await deadLetters.remove(id))
      return
    case 'clear':
      deeds.removed += await deadLetters.purge()
  }
}

/** Whether there was one, and its id was not live. */
async function redrive({ deadLetters }: Queue, id: string): Promise<boolean> {
  try {
    await deadLetters.redrive(id)
    return true
  } catch (error) {
    if (error instanceof JobportError && (error.code === 'NOT_FOUND' || error.code === 'DUPLICATE')) return false
    throw error
  }
}
