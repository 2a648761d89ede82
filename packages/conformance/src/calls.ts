import { JobportError, type Broker, type Queue } from '@jobport/core'
import { within } from './assert.ts'
import type { AnyJobs } from './context.ts'

/** Every public call that needs the broker. */
export function callsOf(broker: Broker, queue: Queue<AnyJobs>): Record<string, () => unknown> {
  const { deadLetters } = queue
  return {
    connect: () => broker.connect(),
    driver: () => broker.driver(),
    queue: () => broker.queue(queue.name),
    worker: () => broker.worker(queue.name, () => 1),
    closeOn: () => broker.closeOn('SIGUSR2'),
    health: async () => Promise.reject((await broker.health()).error),
    add: () => queue.add('a', 1),
    addMany: () => queue.addMany([{ name: 'a', data: 1 }]),
    'addMany of none': () => queue.addMany([]),
    get: () => queue.get('x'),
    list: () => queue.list('waiting'),
    'list of dead': () => queue.list('dead'),
    remove: () => queue.remove('x'),
    purge: () => queue.purge(),
    counts: () => queue.counts(),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    isPaused: () => queue.isPaused(),
    drop: () => queue.drop(),
    'deadLetters.list': () => deadLetters.list(),
    'deadLetters.get': () => deadLetters.get('x'),
    'deadLetters.redrive': () => deadLetters.redrive('x'),
    'deadLetters.redriveAll': () => deadLetters.redriveAll(),
    'deadLetters.remove': () => deadLetters.remove('x'),
    'deadLetters.purge': () => deadLetters.purge(),
  }
}

/** What each call answers, by its name: an error's code. */
export async function answers(calls: Record<string, () => unknown>): Promise<Record<string, string>> {
  const answer = async (call: () => unknown): Promise<string> => {
    try {
      await call()
      return 'no error'
    } catch (error) {
      return error instanceof JobportError ? error.code : String(error)
    }
  }
  const entries = Object.entries(calls).map(async ([what, call]) => [what, await answer(call)] as const)
  return Object.fromEntries(await within(2_000, 'the answers', Promise.all(entries)))
}
