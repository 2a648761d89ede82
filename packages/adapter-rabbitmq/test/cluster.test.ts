import { patiently } from '@jobport/conformance'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { Queue } from '@jobport/core'
import { Cluster } from './cluster.ts'
import { eventually, Trial } from './trial.ts'

const RECOVERY = 20_000

describe('RabbitMQ, three nodes', function () {
  this.timeout(120_000)
  let cluster: Cluster

  before(async () => {
    cluster = await Cluster.open()
  })

  after(() => cluster.close())

  it('loses no accepted job when the leader of the queue is killed under load, and goes on within 10 s', async () => {
    const trial = new Trial(cluster.url)
    const { hosts } = cluster
    const [producer, worker] = [trial.broker({ hosts }), trial.broker({ hosts: hosts.toReversed() })]
    const queue = producer.queue(trial.name)
    const ran = new Map<string, number>()
    await trial.worker(worker, ({ id }) => void ran.set(id, Date.now()), { concurrency: 10 })
    await queue.add('a', 1, { id: 'first' })
    // a queue that is younger than this does not survive a kill
    await pause(2_000)
    const { leader, replicas } = await cluster.leaderOf(trial.work)
    expect(replicas).to.equal(3)

    const load = new Load(queue)
    await eventually('jobs', () => load.accepted.length > 50)
    const killed = Date.now()
    await leader.kill()
    const after = (): number[] => [...ran].filter(([id, at]) => load.sinceKill(id, killed) && at > killed).map(([, at]) => at)
    await eventually(
      'runs of jobs that were added after the kill',
      () => after().length > 10,
      () => load.refusals,
      RECOVERY,
    )
    const recovery = Math.min(...after()) - killed
    await load.stop()
    const missing = (): string[] => load.accepted.map(({ id }) => id).filter((id) => !ran.has(id))
    await eventually('every accepted job', () => missing().length === 0, missing, RECOVERY)
    console.log(
      `      ${load.accepted.length} jobs accepted, ${load.refusals.length} adds refused meanwhile, recovery ${recovery} ms`,
    )
    expect(recovery, 'ms').to.be.below(patiently(10_000))
    await leader.start()
    await producer.queue(trial.name).drop()
    await trial.close()
  })
})

/** Adds one keyed job after the other; an add that is refused is made again. */
class Load {
  readonly accepted: { readonly id: string; readonly at: number }[] = []
  readonly refusals: string[] = []
  readonly #running: Promise<void>
  #stopped = false

  constructor(queue: Queue) {
    this.#running = this.#run(queue)
  }

  sinceKill(id: string, killed: number): boolean {
    return this.accepted.some((job) => job.id === id && job.at > killed)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(queue: Queue): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const id = `job-${i}`
      await queue.add('a', i, { id, deadline: 2_000, dedup: { ttl: 120_000 } }).then(
        () => this.accepted.push({ id, at: Date.now() }),
        (error: Error) => {
          this.refusals.push(error.message)
          i--
        },
      )
      await pause(5)
    }
  }
}
