import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { BullMQDriver, type BullMQOptions } from '@jobport/adapter-bullmq'
import { Broker, type JobportError, type Queue } from '@jobport/core'
import type { RunningBroker } from '@jobport/brokers'
import { LEASE } from './lease.ts'
import { RedisCluster } from './redis-cluster.ts'
import { infoOf, MASTER, Sentinels } from './sentinels.ts'
import { eventually } from './trial.ts'

const QUICK = { lockDuration: LEASE, stalledInterval: 500 }
/** From the kill until jobs flow again, ms. */
const RECOVERY = 30_000
/** Copying is asynchronous: what was accepted so shortly before the kill may be gone, ms. */
const UNCOPIED = 500

describe('BullMQ, a master that is killed under load', function () {
  this.timeout(120_000)

  it('with Sentinels: the replica takes over, and what it had a copy of runs', async () => {
    const group = await Sentinels.open()
    try {
      await survives({ sentinels: group.hosts, sentinelName: MASTER }, group.first)
      expect(await infoOf(group.second)).to.include('role:master')
      await group.first.start()
    } finally {
      await group.close()
    }
  })

  it('in a cluster: the replica of its slots takes over, and what it had a copy of runs', async () => {
    const cluster = await RedisCluster.open()
    try {
      await survives({ cluster: cluster.hosts }, await cluster.masterOf('bull'))
    } finally {
      await cluster.close()
    }
  })
})

async function survives(options: BullMQOptions, master: RunningBroker): Promise<void> {
  const name = `failover-${randomBytes(5).toString('hex')}`
  const errors: Error[] = []
  const open = (): Broker => new Broker(new BullMQDriver({ ...QUICK, ...options })).on('error', (error) => errors.push(error))
  const [producer, consumer] = [open(), open()]
  const ran = new Map<string, number>()
  const worker = consumer.worker(name, ({ id }) => void ran.set(id, Date.now()), { concurrency: 5 })
  worker.on('error', (error) => errors.push(error))
  await worker.ready()
  const queue = producer.queue(name)

  const load = new Load(queue)
  const { accepted, refusals } = load
  const missing = (): string[] => [...accepted.keys()].filter((id) => !ran.has(id))
  const state = (): unknown => ({
    refusals: refusals.slice(-3),
    errors: errors.slice(-3).map(({ message }) => message),
    missing: missing().length,
  })

  await eventually('jobs', () => ran.size > 100, state)
  const killed = Date.now()
  await master.kill()
  const after = (): number[] => [...ran].filter(([id, at]) => at > killed && (accepted.get(id) ?? 0) > killed).map(([, at]) => at)
  await eventually('runs of jobs that were added after the kill', () => after().length > 100, state, RECOVERY)
  const recovery = Math.min(...after()) - killed
  await load.stop()
  const late = (): string[] => missing().filter((id) => Math.abs(accepted.get(id)! - killed) > UNCOPIED)
  await eventually('every job that was copied', () => late().length === 0, state)
  const left = async (): Promise<number> => {
    const { waiting, active } = await queue.counts()
    return waiting + active
  }
  await eventually('an end', async () => (await left()) === 0, state)
  console.log(
    `      ${accepted.size} accepted, ${missing().length} lost uncopied, ${refusals.length} adds refused, recovery ${recovery} ms`,
  )
  expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
  await queue.drop()
  await Promise.all([consumer.close({ timeout: 100 }), producer.close({ timeout: 100 })])
}

/** Adds one job after the other; one that is refused is added again. */
class Load {
  /** When, epoch ms. */
  readonly accepted = new Map<string, number>()
  readonly refusals: string[] = []
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(queue: Queue) {
    this.#running = this.#run(queue)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(queue: Queue): Promise<void> {
    for (let i = 0; !this.#stopping.signal.aborted; ) {
      const options = { id: `job-${i}`, deadline: 2_000, dedup: { ttl: 120_000 } }
      try {
        await queue.add('a', i, options)
        this.accepted.set(options.id, Date.now())
        i++
      } catch (error) {
        this.refusals.push((error as JobportError).code)
      }
      await pause(5)
    }
  }
}
