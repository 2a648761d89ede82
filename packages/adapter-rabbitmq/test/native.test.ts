import { expect } from 'chai'
import type { Broker, Job, JobportError } from '@jobport/core'
import { eventually, Trial } from './trial.ts'

describe('RabbitMQ, native', function () {
  this.timeout(30_000)
  let trial: Trial
  let broker: Broker

  beforeEach(() => {
    trial = new Trial()
    broker = trial.broker()
  })

  afterEach(() => trial.close())

  it('runs what a plain producer publishes: JSON with a type, with or without a message id', async () => {
    const ran: Job[] = []
    await trial.worker(broker, (job) => void ran.push(job))
    const channel = await trial.channel()
    const body = Buffer.from('{"orderId":42}')
    channel.sendToQueue(trial.work, body, {
      type: 'confirm',
      messageId: 'order-42',
      headers: { trace: 'a', 'x-other': 'b', n: 1 },
      persistent: true,
    })
    channel.sendToQueue(trial.work, body, { type: 'confirm', persistent: true })
    await channel.waitForConfirms()
    await eventually('two runs', () => ran.length === 2)
    expect(ran.map(({ name, data, attempt }) => ({ name, data, attempt }))).to.deep.equal(
      [1, 2].map(() => ({ name: 'confirm', data: { orderId: 42 }, attempt: 1 })),
    )
    const [first, second] = ran
    expect(first).to.include({ id: 'order-42', uid: 'order-42' })
    expect(first!.headers).to.deep.equal({ trace: 'a' })
    expect(second!.id).to.match(/^amqp-/)
  })

  it('lets a plain consumer run our jobs: the body is the data, the type the name, the message id the uid', async () => {
    const queue = broker.queue(trial.name)
    const plain = await queue.add('confirm', { orderId: 42 }, { attempts: 3, headers: { trace: 'a', 'x-mine': 'b' } })
    const given = await queue.add('confirm', [1], { id: 'order-42', priority: 9 })
    const messages = await trial.consume(trial.work)
    await eventually('two messages', () => messages.length === 2)
    const [first, second] = messages
    expect(JSON.parse(first!.content.toString())).to.deep.equal({ orderId: 42 })
    expect(first!.properties).to.include({
      type: 'confirm',
      messageId: plain.uid,
      contentType: 'application/json',
      appId: 'jobport/1',
      deliveryMode: 2,
      priority: 9,
    })
    expect(first!.properties.headers).to.have.all.keys('trace', 'jobport-h-x-mine', 'jobport')
    expect(first!.properties.headers).to.include({ trace: 'a', 'jobport-h-x-mine': 'b' })
    const policy = JSON.parse(String(first!.properties.headers?.['jobport'])) as object
    expect(policy).to.have.all.keys('version', 'addedAt', 'attempts')
    expect(policy).to.include({ attempts: 3, version: 1 })
    expect(second!.properties).to.include({ messageId: given.uid, correlationId: 'order-42', priority: 0 })
    expect(second!.properties.appId).to.match(/^jobport\/1 /)
  })

  it('acknowledges what is done and nothing else, in whatever order jobs end', async () => {
    const ends = new Map<number, () => void>()
    const completed: number[] = []
    const hold = ({ data }: Job): Promise<void> => new Promise((end) => ends.set(data as number, end))
    const worker = await trial.worker(broker, hold, { concurrency: 30 })
    worker.on('completed', ({ data }) => completed.push(data as number))
    const numbers = Array.from({ length: 30 }, (_, i) => i)
    await broker.queue(trial.name).addMany(numbers.map((data) => ({ name: 'confirm', data })))
    await eventually('thirty runs', () => ends.size === 30)
    const shuffled = numbers.map((n) => [Math.random(), n] as const).toSorted(([a], [b]) => a - b)
    const [some, more, others] = [shuffled.slice(0, 7), shuffled.slice(7, 20), shuffled.slice(20)].map((part) =>
      part.map(([, n]) => n),
    )
    for (const n of some!) ends.get(n)!()
    await eventually('some ends', () => completed.length === 7)
    for (const n of more!) ends.get(n)!()
    await eventually('more ends', () => completed.length === 20)
    await worker.stop({ timeout: 0 })
    const left = await trial.consume(trial.work)
    await eventually('what is left', () => left.length === 10)
    const dataOf = ({ content }: { content: Buffer }): number => JSON.parse(content.toString()) as number
    expect(left.map(dataOf)).to.have.members(others!)
  })

  it('keeps the id of a recorded job taken after a plain acknowledgement, until it is removed', async () => {
    const queue = broker.queue(trial.name)
    await queue.add('confirm', 1, { id: 'order-42' })
    const channel = await trial.channel()
    const message = await channel.get(trial.work)
    if (!message) throw new Error('nothing came')
    channel.ack(message)
    expect(await queue.add('confirm', 2, { id: 'order-42' })).to.include({ added: false })
    expect(await queue.remove('order-42')).to.equal(true)
    expect(await queue.add('confirm', 3, { id: 'order-42' })).to.include({ added: true })
  })

  it('shows dead letters to a plain consumer, with reason and error', async () => {
    await trial.worker(broker, () => {
      throw new TypeError('no stock')
    })
    const { uid } = await broker.queue(trial.name).add('confirm', { orderId: 42 })
    await eventually('death', async () => (await broker.queue(trial.name).counts()).dead === 1)
    const [letter] = await eventually(
      'a letter',
      async () => await trial.consume(`${trial.work}:failed`),
      () => trial.errors,
    ).then((messages) => eventually('a letter', () => (messages.length > 0 ? messages : undefined)))
    expect(letter!.properties).to.include({ type: 'confirm', messageId: uid })
    expect(letter!.properties.headers).to.include({ 'jobport-reason': 'attempts' })
    expect(letter!.properties.appId).to.match(/^jobport\/1 \S+ 1 0$/)
    expect(JSON.parse(String(letter!.properties.headers?.['jobport-error']))).to.include({
      name: 'TypeError',
      message: 'no stock',
    })
    expect(JSON.parse(letter!.content.toString())).to.deep.equal({ orderId: 42 })
  })

  it('shows what a plain consumer rejected among the dead letters', async () => {
    const queue = broker.queue(trial.name)
    const { id } = await queue.add('confirm', 1)
    const channel = await trial.channel()
    const message = await channel.get(trial.work)
    if (!message) throw new Error('nothing came')
    channel.reject(message, false)
    await eventually('a dead letter', async () => (await queue.counts()).dead === 1)
    const dead = await queue.deadLetters.get(id)
    expect(dead).to.include({ id, reason: 'unknown' })
    expect(dead!.error!.message).to.contain('rejected')
  })

  it('writes a ledger that a plain stream consumer reads', async () => {
    const { uid } = await broker.queue(trial.name).add('confirm', 1, { id: 'order-42' })
    const messages = await trial.consume(`${trial.work}:ledger`, { arguments: { 'x-stream-offset': 'first' } })
    const entries = (): unknown[][] =>
      messages.flatMap(({ content }) => (JSON.parse(content.toString()) as [...unknown[], unknown[][]]).at(-1) as unknown[][])
    const claim = await eventually('the claim', () => entries().find(([type]) => type === 'claim'))
    expect(claim.slice(0, 3)).to.deep.equal(['claim', 'order-42', uid])
  })

  it('declares what it documents, and drop leaves nothing', async () => {
    const queue = broker.queue(trial.name)
    await trial.worker(broker, () => 1)
    await queue.add('confirm', 1, { id: 'a', delay: 17 })
    const queues = [
      '',
      ':failed',
      ':ledger',
      ':members',
      ':delay-v1.watched',
      ':delay-v1.registry',
      ':delay-v1.0.1',
      ':delay-v1.1.1',
    ].map((part) => trial.work + part)
    for (const name of queues) await (await trial.channel()).checkQueue(name)
    const exchanges = [':control', ':delay-v1.0', ':delay-v1.7', ':delay-v1.out', ':delay-v1.parking', ':delay-v1.registry'].map(
      (part) => trial.work + part,
    )
    for (const name of exchanges) await (await trial.channel()).checkExchange(name)
    await broker.close()
    const keeper = trial.broker()
    await keeper.queue(trial.name).drop()
    for (const name of queues) expect(await missing(async () => (await trial.channel()).checkQueue(name)), name).to.equal(true)
    for (const name of exchanges)
      expect(await missing(async () => (await trial.channel()).checkExchange(name)), name).to.equal(true)
  })

  it('says so where somebody else has a queue of its name with other arguments', async () => {
    await (await trial.channel()).assertQueue(trial.work, { durable: true, arguments: { 'x-max-length': 5 } })
    const error = await broker
      .queue(trial.name)
      .add('confirm', 1)
      .catch((thrown: JobportError) => thrown)
    expect(error).to.include({ code: 'SERVER_UNSUITABLE' })
    expect((error as JobportError).message).to.contain(trial.work)
  })

  it('shows no payload of a live job beyond 256 KiB, and gives its handler all of it', async () => {
    const queue = broker.queue(trial.name)
    const large = 'x'.repeat(300_000)
    await queue.add('confirm', large, { id: 'large' })
    expect((await queue.get('large'))?.data).to.equal(null)
    expect((await queue.list('waiting')).jobs.map(({ data }) => data)).to.deep.equal([null])
    let handed: unknown
    await trial.worker(broker, ({ data }) => void (handed = data))
    await eventually('its run', () => handed)
    expect(handed).to.equal(large)
  })

  it('shares one chain of delays among queues, if told so', async () => {
    const shared = trial.broker({ delays: 'shared', prefix: 'shared' })
    const ran: string[] = []
    const names = [`${trial.name}.a`, `${trial.name}.b`]
    for (const name of names) shared.worker(name, (job) => void ran.push(`${name} ${job.name}`))
    for (const name of names) await shared.queue(name).add('x', 1, { delay: 50 })
    await eventually('both', () => ran.length === 2)
    expect(ran.toSorted()).to.deep.equal(names.map((name) => `${name} x`))
    for (const name of names) await shared.queue(name).drop()
  })
})

async function missing(look: () => Promise<unknown>): Promise<boolean> {
  return look().then(
    () => false,
    (error: { code?: number }) => error.code === 404,
  )
}
