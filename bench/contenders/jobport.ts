import { Broker, type Driver, type Queue } from '@jobport/core'
import { payload } from '../load.ts'
import type { Ability, Bout, Contender, Payload } from '../contender.ts'

type Jobs = Record<'a', Payload>

const ABILITIES: readonly Ability[] = ['id', 'delay', 'attempts', 'many', 'dead', 'shared', 'kept']

export interface JobportOptions {
  /** Default: `Jobport`. */
  readonly title?: string
  /** Gives every job an id of its own. */
  readonly given?: boolean
  readonly without?: readonly Ability[]
  /** Default: all that it is able to. */
  readonly workloads?: ReadonlySet<string>
}

export function jobport(
  createDriver: () => Driver,
  { title = 'Jobport', given = false, without = [], workloads }: JobportOptions = {},
): Contender {
  return {
    title,
    abilities: new Set(ABILITIES.filter((ability) => !without.includes(ability))),
    ...(workloads && { workloads }),
    async open(name) {
      const broker = await new Broker(createDriver(), { deadline: 60_000 }).connect()
      const queue = broker.queue<Jobs>(name)
      await queue.counts()
      return boutOf(broker, queue, given)
    },
  }
}

function boutOf(broker: Broker, queue: Queue<Jobs>, given: boolean): Bout {
  const idOf = ({ i }: Payload): { id?: string } => (given ? { id: `j${i}` } : {})
  const add: Bout['add'] = (data, choice) => queue.add('a', data, { ...idOf(data), ...choice })
  const work: Bout['work'] = async (concurrency, handle, done) => {
    const worker = broker.worker<Jobs>(queue.name, { a: ({ data }) => handle(data) }, { concurrency })
    worker.on('completed', done)
    worker.on('error', (error) => console.error(error.message))
    await worker.ready()
    return () => worker.stop()
  }
  return {
    async prepare() {
      await add(payload(-1))
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = await work(1, () => {}, resolve)
      await promise
      await stop()
    },
    add,
    addMany: (payloads) => queue.addMany(payloads.map((data) => ({ name: 'a', data, options: idOf(data) }))),
    work,
    redriveAll: async () => (await queue.deadLetters.redriveAll()).redriven,
    dead: async () => (await queue.counts()).dead,
    counts: () => queue.counts(),
    get: (id) => queue.get(id),
    remove: (id) => queue.remove(id),
    async drop() {
      await queue.drop()
      await broker.close()
    },
  }
}
