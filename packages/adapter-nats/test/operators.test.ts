import { openBroker } from '@jobport/brokers'
import type { Broker, JobportError, Queue } from '@jobport/core'
import type { ConsumerConfig, JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import { AckPolicy } from '@nats-io/jetstream'
import { expect } from 'chai'
import { configFaults, streamOf } from '../src/stream-rules.ts'
import { Names } from '../src/names.ts'
import { eventually, Trial } from './trial.ts'

/** Within which a change is told, ms: as documented, and what the machine takes. */
const NOTICED = 6_000

describe('NATS, operators', function () {
  this.timeout(60_000)
  let trial: Trial
  let broker: Broker
  let queue: Queue
  let manager: JetStreamManager

  beforeEach(async () => {
    trial = new Trial()
    broker = await trial.broker().connect()
    queue = broker.queue(trial.name)
    ;({ manager } = await trial.plain())
  })

  afterEach(() => trial.close())

  const add = (): Promise<unknown> => queue.add('a', 1).catch((error: JobportError) => error)
  const refusesAdds = (): Promise<boolean> => add().then((answer) => (answer as JobportError).code === 'SERVER_UNSUITABLE')
  const takesAdds = (): Promise<boolean> => add().then((answer) => 'added' in (answer as object))

  const CHANGES: [what: string, change: Partial<StreamConfig>, back: Partial<StreamConfig>][] = [
    ['max_msgs', { max_msgs: 5 }, { max_msgs: -1 }],
    ['max_bytes', { max_bytes: 2_000 }, { max_bytes: -1 }],
    ['max_msgs_per_subject', { max_msgs_per_subject: 1 }, { max_msgs_per_subject: -1 }],
    ['max_age', { max_age: 60e9, duplicate_window: 1e9 }, { max_age: 0 }],
    ['max_msg_size', { max_msg_size: 1_000 }, { max_msg_size: -1 }],
    ['no_ack', { no_ack: true }, { no_ack: false }],
    ['deny_delete', { deny_delete: true }, {}],
    ['lacks allow_direct', { allow_direct: false }, { allow_direct: true }],
    ['lacks allow_atomic', { allow_atomic: false }, { allow_atomic: true }],
    ['max_consumers', { max_consumers: 2 }, { max_consumers: -1 }],
    ['not of our making', { subjects: [`else-${process.pid}.>`] }, { subjects: [] }],
  ]

  it('who change a stream in use so that it is no longer safe are told of within seconds, and adds are refused until they change it back', async () => {
    expect(await takesAdds()).to.equal(true)
    const { config } = await manager.streams.info(trial.stream)
    for (const [what, change, back] of CHANGES.filter(([name]) => ['max_msgs', 'max_age', 'not of our making'].includes(name))) {
      trial.errors.length = 0
      await manager.streams.update(trial.stream, change)
      const told = await eventually(what, () => trial.errors.find(({ message }) => message.includes(what)), undefined, NOTICED)
      expect(told, what).to.include({ code: 'SERVER_UNSUITABLE' })
      expect(await refusesAdds(), what).to.equal(true)
      await manager.streams.update(trial.stream, { ...back, ...(back.subjects && { subjects: config.subjects }) })
      await eventually(`adds after ${what}`, takesAdds, undefined, NOTICED)
      expect(trial.errors, what).to.have.length(1)
    }
  })

  it('who limit a stream lose no add that was accepted after the change was told', async () => {
    await queue.pause()
    await manager.streams.update(trial.stream, { max_msgs: 7 })
    await eventually('the word of it', () => trial.errors.length > 0, undefined, NOTICED)
    const answers = await Promise.all(Array.from({ length: 20 }, add))
    expect(answers.filter((answer) => 'added' in (answer as object))).to.deep.equal([])
  })

  it('who have changed it before anybody uses it are told of by the first add', async () => {
    const { config } = await stored()
    for (const [what, change] of CHANGES) {
      await manager.streams.delete(trial.stream).catch(() => {})
      await manager.streams.add({ ...config, name: trial.stream, ...change })
      const fresh = trial.broker().queue(trial.name)
      const refusal = await fresh.add('a', 1).catch((error: unknown) => error)
      expect(refusal, what).to.include({ code: 'SERVER_UNSUITABLE' })
      expect((refusal as Error).message).to.include(what)
    }
    // the server allows neither of these with what a stream of ours has
    const names = new Names('jobport', trial.name)
    for (const change of [{ storage: 'memory' }, { sealed: true }, { deny_purge: true }, { persist_mode: 'async' }])
      expect(configFaults({ ...config, ...change } as StreamConfig, names, 1_048_576), JSON.stringify(change)).to.have.length(1)
    expect(configFaults({ ...config, ...streamOf(names, 1) }, names, 1_048_576)).to.deep.equal([])
  })

  const OTHERS: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
    ['a stream that sources it', () => copy({ sources: [{ name: trial.stream }] }), () => uncopy()],
    ['a stream that mirrors it', () => copy({ mirror: { name: trial.stream } }), () => uncopy()],
    ['a consumer of dead letters', () => consumer({ filter_subject: `jobport.${trial.name}.f.>` }), () => leave('other')],
    ['a consumer that gives jobs up', () => giveUpAfter(3), () => giveUpAfter(-1)],
  ]
  for (const [who, come, go] of OTHERS)
    it(`who consume a queue by other means are told of, and adds are refused while they do: ${who}`, async () => {
      expect(await takesAdds()).to.equal(true)
      await come()
      try {
        await eventually('the word of it', () => trial.errors.length > 0, undefined, NOTICED)
        expect(trial.errors[0]).to.include({ code: 'SERVER_UNSUITABLE' })
        expect(await refusesAdds()).to.equal(true)
      } finally {
        await go()
      }
      await eventually('adds after it', takesAdds, undefined, NOTICED)
    })

  it('whose accounts demand a limit are refused, and an account that is full refuses adds and loses nothing', async () => {
    const own = await openBroker('nats', {
      settings: {
        'accounts.A': '{ jetstream: { max_bytes_required: true }, users: [ { user: "strict", password: "pw" } ] }',
        'accounts.B': '{ jetstream: { max_store: 100KB }, users: [ { user: "small", password: "pw" } ] }',
      },
    })
    const visitor = new Trial(own.url.replace('//', '//small:pw@'))
    try {
      const strict = visitor.broker({ url: own.url.replace('//', '//strict:pw@') }).queue(visitor.name)
      expect(await strict.add('a', 1).catch((error: unknown) => error)).to.include({ code: 'SERVER_UNSUITABLE' })
      const small = visitor.broker().queue(visitor.name)
      const codes: string[] = []
      for (let i = 0; i < 20; i++)
        await small.add('a', 'x'.repeat(10_000)).then(
          () => codes.push('added'),
          ({ code }: JobportError) => codes.push(code),
        )
      const added = codes.filter((code) => code === 'added').length
      expect(added).to.be.within(1, 10)
      expect(codes.slice(added)).to.deep.equal(Array.from({ length: 20 - added }, () => 'REJECTED'))
      expect(await small.counts()).to.include({ waiting: added })
    } finally {
      await visitor.close()
      await own.close()
    }
  })

  it('who ask a single server for three copies are refused', async () => {
    const three = trial.broker({ replicas: 3 }).queue(trial.name)
    expect(await three.add('a', 1).catch((error: unknown) => error)).to.include({ code: 'SERVER_UNSUITABLE' })
  })

  async function stored() {
    await queue.add('a', 1)
    return manager.streams.info(trial.stream)
  }

  function copy(of: Partial<StreamConfig>): Promise<unknown> {
    return manager.streams.add({ name: `copy-${trial.name}`, ...of })
  }

  async function uncopy(): Promise<void> {
    await manager.streams.delete(`copy-${trial.name}`)
    await eventually('the end of its consumer', async () =>
      (await manager.consumers.list(trial.stream).next()).every(({ name }) => name === 'w0'),
    )
  }

  function consumer(config: Partial<ConsumerConfig>): Promise<unknown> {
    return manager.consumers.add(trial.stream, { durable_name: 'other', ack_policy: AckPolicy.Explicit, ...config })
  }

  function giveUpAfter(max_deliver: number): Promise<unknown> {
    return manager.consumers.update(trial.stream, 'w0', { max_deliver })
  }

  function leave(name: string): Promise<unknown> {
    return manager.consumers.delete(trial.stream, name)
  }
})
