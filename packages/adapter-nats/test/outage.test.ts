import { fork } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import type { Broker, JobportError } from '@jobport/core'
import { eventually, Trial } from './trial.ts'

const ADD_DEADLINE = 1_000
/** Within which workers must consume again, ms. */
const RECOVERY = 10_000
const OUTAGE = 1_500

describe('NATS, outages', function () {
  this.timeout(60_000)
  let nats: RunningBroker
  let trial: Trial
  let broker: Broker
  const warnings: Error[] = []
  const warn = (warning: Error): void => void (warning.name === 'MaxListenersExceededWarning' && warnings.push(warning))

  before(async () => {
    process.on('warning', warn)
    nats = await openBroker('nats', { own: true })
  })

  after(async () => {
    await nats.close()
    process.off('warning', warn)
  })

  beforeEach(async () => {
    trial = new Trial(nats.url)
    broker = await trial.broker({}, { deadline: ADD_DEADLINE }).connect()
  })

  afterEach(async () => {
    await nats.start()
    await trial.close()
    expect(warnings).to.deep.equal([])
  })

  const faults: [string, () => Promise<void>, () => Promise<void>][] = [
    ['a restart', () => nats.stop(), () => nats.start()],
    ['a SIGKILL', () => nats.kill(), () => nats.start()],
    ['a SIGSTOP', () => nats.pause(), () => nats.resume()],
  ]

  for (const [what, begin, end] of faults) {
    it(`of ${what}: adds fail in time, nothing accepted is lost, workers consume again, down and up are told once`, async () => {
      const edges: string[] = []
      broker.on('down', () => edges.push('down')).on('up', () => edges.push('up'))
      const ran = new Set<string>()
      await trial.worker(broker, ({ id }) => void ran.add(id), { concurrency: 5 })
      const load = new Load(broker, trial.name)
      await eventually('work before the outage', () => ran.size > 20)
      await begin()
      const ends = Date.now() + OUTAGE
      await eventually('the outage', () => Date.now() > ends)
      const failed = load.failures.length
      await end()
      const back = performance.now()
      const { size } = ran
      await eventually(
        'work after the outage',
        () => ran.size > size + 20,
        () => [...load.failures],
        RECOVERY,
      )
      expect(performance.now() - back).to.be.below(patiently(RECOVERY))
      await load.stop()
      await eventually(
        'all that was accepted',
        () => load.accepted.every((id) => ran.has(id)),
        () => load.accepted.filter((id) => !ran.has(id)),
        RECOVERY,
      )
      expect(failed, 'adds that failed').to.be.above(0)
      expect(load.failures.filter(({ code }) => !['UNAVAILABLE', 'UNCONFIRMED'].includes(code))).to.deep.equal([])
      expect(Math.max(...load.failures.map(({ took }) => took)), 'longest add').to.be.below(patiently(ADD_DEADLINE + 500))
      expect(edges).to.deep.equal(what === 'a SIGSTOP' ? [] : ['down', 'up'])
      expect((await broker.health()).ok).to.equal(true)
      expect((await broker.queue(trial.name).counts()).dead).to.equal(0)
    })

    it(`of ${what}: closing ends in time, with a job in hand and without`, async () => {
      const busy = trial.broker()
      const started = new Promise<void>((resolve) => {
        void trial.worker(busy, () => new Promise(() => resolve()))
      })
      await trial.worker(broker, () => {})
      await broker.queue(trial.name).pause()
      await broker.queue(trial.name).resume()
      await broker.queue(`${trial.name}-2`).counts()
      const other = await trial.broker().connect()
      for (let i = 0; i < 3; i++) await broker.queue(trial.name).add('a', 1)
      await started
      await begin()
      const before = performance.now()
      await Promise.all([busy, broker, other].map((one) => one.close({ timeout: 500 })))
      expect(performance.now() - before).to.be.below(patiently(500 + 1_000 + 5_500))
      await end()
    })
  }

  it('do not keep a process that has closed', async () => {
    const child = fork(new URL('./leaver.ts', import.meta.url), [nats.url, trial.name], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    const told: string[] = []
    child.stderr!.on('data', (text: Buffer) => told.push(text.toString()))
    await once(child, 'message')
    await nats.kill()
    const exit = once(child, 'exit')
    child.send('close')
    const [closed] = (await once(child, 'message')) as [string]
    const since = performance.now()
    const [code] = (await exit) as [number]
    expect({ closed, code, told }).to.deep.equal({ closed: 'closed', code: 0, told: [] })
    expect(performance.now() - since, 'from closed to gone').to.be.below(patiently(2_000))
  })

  it('refuse a first connection in time, and allow it once the server is there', async () => {
    await nats.stop()
    const late = trial.broker({}, { deadline: 5_000 })
    const before = performance.now()
    const refusal = await late.connect().then(
      () => undefined,
      (error: JobportError) => error,
    )
    expect(refusal).to.include({ code: 'UNAVAILABLE' })
    expect(performance.now() - before).to.be.below(patiently(5_500))
    await nats.start()
    await late.connect()
    expect((await late.health()).ok).to.equal(true)
  })
})

/** Adds jobs one after the other, and then some, until it is told to stop. */
class Load {
  readonly accepted: string[] = []
  readonly failures: { code: string; took: number }[] = []
  readonly #done: Promise<unknown>
  #stopped = false

  constructor(broker: Broker, name: string) {
    const queue = broker.queue(name)
    const produce = async (producer: number): Promise<void> => {
      for (let i = 0; !this.#stopped; i++) {
        const before = performance.now()
        await queue.add('a', i, { id: `${producer}-${i}` }).then(
          ({ id }) => this.accepted.push(id),
          ({ code }: JobportError) => this.failures.push({ code, took: performance.now() - before }),
        )
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    this.#done = Promise.all([produce(1), produce(2), produce(3)])
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }
}
