import { fork } from 'node:child_process'
import { headers } from '@nats-io/transport-node'
import { expect } from 'chai'
import type { Broker, Job, JobportError } from '@jobport/core'
import { jetstream } from '@nats-io/jetstream'
import { ACK_WAIT, eventually, Trial } from './trial.ts'

describe('NATS, native', () => {
  let trial: Trial
  let broker: Broker

  beforeEach(async () => {
    trial = new Trial()
    broker = await trial.broker().connect()
  })

  afterEach(async () => {
    await trial.close()
    expect(trial.errors.map(({ message }) => message)).to.deep.equal([])
  })

  it('keeps a queue in a stream of its own, as documented', async () => {
    await broker.queue(trial.name).add('a', 1)
    const { manager } = await trial.plain()
    const { config, state } = await manager.streams.info(trial.stream)
    expect(config).to.deep.include({
      ...{
        subjects: [`jobport.${trial.name}.*.*.*.*`],
        retention: 'workqueue',
        storage: 'file',
        num_replicas: 1,
        discard: 'old',
        max_age: 0,
      },
      ...{ max_msgs: -1, max_bytes: -1, allow_direct: true, allow_msg_ttl: true, allow_msg_schedules: true, allow_atomic: true },
    })
    expect(state.messages).to.equal(1)
  })

  it('has one consumer, and another for each further priority that was used', async () => {
    const queue = broker.queue(trial.name)
    await queue.add('a', 1)
    await queue.add('a', 1, { priority: 7 })
    const { manager } = await trial.plain()
    const configs = (await manager.consumers.list(trial.stream).next()).map(({ config }) => config)
    expect(configs.map(({ durable_name, filter_subject }) => [durable_name, filter_subject])).to.have.deep.members([
      ['w0', `jobport.${trial.name}.w.0.*.*`],
      ['w7', `jobport.${trial.name}.w.7.*.*`],
    ])
    for (const config of configs) {
      expect(config).to.include({ ack_policy: 'explicit', ack_wait: ACK_WAIT * 1_000_000, max_deliver: -1, max_ack_pending: -1 })
    }
  })

  it('lets a plain client read a waiting job, run it, and read a delayed and a dead one', async () => {
    const queue = broker.queue(trial.name)
    const { uid } = await queue.add('mail', { to: 'a' }, { id: 'order:7', headers: { trace: 't' } })
    await queue.add('later', 2, { id: 'later', delay: 60_000 })
    const { connection, manager } = await trial.plain()
    const consumer = await jetstream(connection).consumers.get(trial.stream, 'w0')
    const message = (await consumer.next({ expires: 5_000 }))!
    expect(message.subject).to.equal(`jobport.${trial.name}.w.0.order=3A7.${uid}`)
    expect(message.json()).to.deep.include({
      id: 'order:7',
      name: 'mail',
      data: { to: 'a' },
      headers: { trace: 't' },
      attempts: 1,
    })
    expect(await message.ackAck()).to.equal(true)
    expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 1, active: 0, dead: 0 })

    const delayed = (await manager.streams.getMessage(trial.stream, { last_by_subj: `jobport.${trial.name}.d.0.later.*` }))!
    expect(delayed.header.get('Nats-Schedule')).to.match(/^@at \d{4}-/)
    expect(delayed.header.get('Nats-Schedule-Target')).to.equal(delayed.subject.replace('.d.', '.w.'))

    await trial.worker(broker, () => {
      throw new TypeError('no use')
    })
    await queue.add('bad', { n: 1 }, { id: 'bad' })
    await eventually('a dead letter', async () => (await queue.counts()).dead === 1)
    const letter = (await manager.streams.getMessage(trial.stream, { last_by_subj: `jobport.${trial.name}.f.0.bad.*` }))!
    expect(letter.json()).to.deep.include({ id: 'bad', name: 'bad', data: { n: 1 } })
    const dead = JSON.parse(letter.header.get('jobport-dead')) as { reason: string; error: object }
    expect(dead).to.deep.include({ reason: 'attempts' })
    expect(dead.error).to.include({ name: 'TypeError', message: 'no use' })
  })

  it('runs what a plain client publishes, with an id and without a word about it', async () => {
    const seen: Job[] = []
    await trial.worker(broker, (job) => void seen.push(job))
    const { connection } = await trial.plain()
    const js = jetstream(connection)
    await js.publish(`jobport.${trial.name}.w.0.my-id.1`, JSON.stringify({ name: 'plain', data: { n: 1 } }))
    await js.publish(`jobport.${trial.name}.w.0.other.1`, JSON.stringify({ name: 'plain', data: 2, attempts: 3 }))
    await eventually('two runs', () => seen.length === 2)
    expect(seen.map(({ id, name, data, attempts }) => ({ id, name, data, attempts }))).to.deep.equal([
      { id: 'my-id', name: 'plain', data: { n: 1 }, attempts: 1 },
      { id: 'other', name: 'plain', data: 2, attempts: 3 },
    ])
    await eventually('their end', async () => (await broker.queue(trial.name).counts()).active === 0)
  })

  it('keeps fields of the body that it does not know, over retries, death and redrive', async () => {
    const queue = broker.queue(trial.name)
    await queue.counts()
    const { connection, manager } = await trial.plain()
    let broken = true
    await trial.worker(broker, () => {
      if (broken) throw new Error('no')
    })
    const body = { name: 'plain', data: 1, attempts: 2, tenant: 'x' }
    await jetstream(connection).publish(`jobport.${trial.name}.w.0.keep.1`, JSON.stringify(body))
    await eventually('its death', async () => (await queue.counts()).dead === 1)
    await queue.pause()
    await queue.deadLetters.redrive('keep')
    const alive = (await manager.streams.getMessage(trial.stream, { last_by_subj: `jobport.${trial.name}.w.0.keep.*` }))!
    expect(alive.json()).to.deep.include({ ...body, id: 'keep' })
    broken = false
    await queue.resume()
    await eventually('its end', async () => (await queue.counts()).active + (await queue.counts()).waiting === 0)
  })

  it('keeps the record and the result of a completed job for as long as `keep` says', async () => {
    const brief = await trial.broker({ keep: 3_000, ackWait: 1_500 }).connect()
    await trial.worker(brief, () => ({ sum: 3 }))
    await brief.queue(trial.name).add('a', 1, { id: 'x' })
    const { manager } = await trial.plain()
    const look = () => manager.streams.getMessage(trial.stream, { last_by_subj: `jobport.${trial.name}.c.0.x.*` })
    const found = await eventually('the record', look)
    expect(found.json()).to.deep.equal({ sum: 3 })
    expect(found.header.get('Nats-TTL')).to.equal('3s')
    await eventually('its end', async () => (await look()) === null)
  })

  it('pauses the consumers themselves, also of a priority that first comes into use meanwhile', async () => {
    const queue = broker.queue(trial.name)
    await queue.pause()
    await queue.add('a', 1, { priority: 3 })
    const { manager } = await trial.plain()
    const paused = async (): Promise<(boolean | undefined)[]> =>
      (await manager.consumers.list(trial.stream).next()).map((info) => info.paused)
    expect(await paused()).to.deep.equal([true, true])
    expect((await broker.health()).queues[trial.name]).to.include({ paused: true })
    await queue.resume()
    expect((await paused()).filter(Boolean)).to.deep.equal([])
  })

  it('starts delayed jobs in order of due time that lie its resolution apart, also when all are overdue', async () => {
    const queue = broker.queue(trial.name)
    const { resolution } = (await broker.driver()).features.delay as { resolution: number }
    await queue.pause()
    const ids = ['last', 'third', 'second', 'first']
    const first = Date.now() + 300
    for (const [i, id] of ids.entries()) await queue.add('a', 1, { id, at: new Date(first + (ids.length - 1 - i) * resolution) })
    await eventually('their time', async () => (await queue.counts()).waiting === ids.length)
    const waiting = await queue.list('waiting')
    expect(waiting.jobs.map(({ id, state, dueAt }) => [id, state, dueAt])).to.deep.equal(
      ids.toReversed().map((id) => [id, 'waiting', undefined]),
    )
    const ran: string[] = []
    await trial.worker(broker, ({ id }) => void ran.push(id))
    await queue.resume()
    await eventually('their runs', () => ran.length === ids.length)
    expect(ran).to.deep.equal(ids.toReversed())
  })

  it('shows an overdue job as waiting, without a worker, and a distant one with its time', async () => {
    const queue = broker.queue(trial.name)
    await queue.add('a', 1, { id: 'soon', delay: 50 })
    await queue.add('a', 1, { id: 'far', delay: 10 * 365 * 86_400_000 })
    await eventually('its time', async () => (await queue.get('soon'))?.state === 'waiting')
    expect(await queue.get('soon')).not.to.have.property('dueAt')
    expect((await queue.list('delayed')).jobs.map(({ id }) => id)).to.deep.equal(['far'])
    await eventually('the server', async () => (await queue.counts()).waiting === 1)
    expect(await queue.counts()).to.include({ delayed: 1 })
    const far = (await queue.get('far'))!
    expect(far.dueAt!.getTime() - far.addedAt.getTime()).to.be.closeTo(10 * 365 * 86_400_000, 5_000)
  })

  it('counts processes that work on a queue, not workers or connections', async () => {
    const workers = async (): Promise<number> => (await broker.health()).queues[trial.name]!.workers
    await trial.worker(broker, () => {})
    const other = trial.broker()
    await trial.worker(other, () => {})
    expect(await workers()).to.equal(1)
    const child = fork(new URL('./leaver.ts', import.meta.url), [`${trial.url}?ackWait=${ACK_WAIT}`, trial.name])
    try {
      await eventually('two processes', async () => (await workers()) === 2)
    } finally {
      child.kill('SIGKILL')
    }
    await eventually('one process', async () => (await workers()) === 1)
  })

  it('tells every worker that leases are of another length than its own', async () => {
    const queue = broker.queue(trial.name)
    await queue.pause()
    await queue.add('a', 1)
    const other = trial.broker({ ackWait: 3_000 })
    await other.queue(trial.name).add('a', 2)
    await eventually('both words of it', () => trial.errors.length >= 2, undefined, 6_000)
    expect(trial.errors.map((error) => (error as JobportError).code)).to.deep.equal(['INVALID_CONFIG', 'INVALID_CONFIG'])
    const { manager } = await trial.plain()
    expect((await manager.consumers.info(trial.stream, 'w0')).config).to.include({ ack_wait: 3_000_000_000 })
    expect(await queue.isPaused()).to.equal(true)
    trial.errors.length = 0
  })

  it('reads a dead letter whatever another program wrote beside it', async () => {
    const queue = broker.queue(trial.name)
    await queue.counts()
    await queue.add('a', 1, { delay: 60_000 })
    const { connection } = await trial.plain()
    for (const [i, text] of ['{', 'null', '5', '{"reason":7,"error":"x"}', '{"error":{"name":1}}'].entries()) {
      const native = headers()
      native.set('jobport-dead', text)
      await connection.request(`jobport.${trial.name}.f.0.letter-${i}.1`, JSON.stringify({ name: 'a', data: i }), {
        headers: native,
        timeout: 2_000,
      })
    }
    const { jobs } = await queue.deadLetters.list()
    expect(jobs.map(({ reason, error }) => [reason, typeof error!.name, typeof error!.message])).to.deep.equal(
      Array.from({ length: 5 }, () => ['attempts', 'string', 'string']),
    )
    expect(await queue.deadLetters.purge()).to.equal(5)
  })

  it('refuses a stream of that name that is not of its making, and one that takes its subjects', async () => {
    const { manager } = await trial.plain()
    await manager.streams.add({ name: trial.stream, subjects: [`else.${trial.name}`] })
    const refusal = async (): Promise<unknown> =>
      broker
        .queue(trial.name)
        .add('a', 1)
        .catch((error: unknown) => error)
    expect(await refusal()).to.include({ code: 'SERVER_UNSUITABLE' })
    await manager.streams.delete(trial.stream)
    await manager.streams.add({ name: `other-${trial.name}`, subjects: [`jobport.${trial.name}.>`] })
    expect(await refusal()).to.include({ code: 'SERVER_UNSUITABLE' })
    await manager.streams.delete(`other-${trial.name}`)
    expect(await broker.queue(trial.name).add('a', 1)).to.include({ added: true })
  })

  it('makes a queue anew that was removed while a worker consumes it', async () => {
    const seen: unknown[] = []
    await trial.worker(broker, ({ data }) => void seen.push(data))
    const queue = broker.queue(trial.name)
    await queue.add('a', 1)
    await eventually('the first', () => seen.length === 1)
    const { manager } = await trial.plain()
    await manager.streams.delete(trial.stream)
    await queue.add('a', 2)
    await eventually('the second', () => seen.length === 2)
    trial.errors.length = 0
  })
})
