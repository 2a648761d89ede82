import { expect } from 'chai'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { faultsOf, type Shown } from '../src/server-policies.ts'
import { Hands } from './hands.ts'
import { ManagedBroker } from './management.ts'
import { eventually, Trial } from './trial.ts'
import type { Message } from '@jobport/core/driver'

const NAMES = { work: 'jobport.q', failed: 'jobport.q:failed' }
/** As docs/guarantees.md has it. */
const SHIELD = { pattern: '^jobport[.:]', definition: { 'queue-leader-locator': 'balanced' }, priority: 1_000 }
const OPERATORS_SHIELD = { pattern: '^jobport[.:]', definition: { overflow: 'reject-publish' }, priority: 1_000 }
const ERROR = { name: 'Error', message: 'on purpose' }
const KINDS: readonly (readonly [string, (n: number) => Partial<Message>])[] = [
  ['that only its queue knows', (n) => ({ data: n })],
  ['of the ledger', (n) => ({ data: n, id: `order-${n}` })],
]

describe('RabbitMQ policies', function () {
  this.timeout(90_000)
  let server: ManagedBroker
  let trial: Trial

  before(async () => (server = await ManagedBroker.open()))
  after(() => server.close())
  beforeEach(() => (trial = new Trial(server.url)))
  afterEach(async () => {
    for (const name of ['shield', 'theirs']) {
      await server.unset('policies', name).catch(() => {})
      await server.unset('operator-policies', name).catch(() => {})
    }
    await trial.close()
  })

  it('are judged by what they do to each kind of queue', () => {
    const judged = (name: string, definition: object, type = 'quorum'): number =>
      faultsOf({ name, type, policy: 'p', effective_policy_definition: definition } as Shown, NAMES).length
    expect(judged(NAMES.work, {})).to.equal(0)
    expect(judged(NAMES.work, SHIELD.definition)).to.equal(0)
    expect(judged(NAMES.work, { 'consumer-timeout': 5, overflow: 'reject-publish' })).to.equal(0)
    expect(judged(NAMES.work, { 'message-ttl': 5 })).to.equal(1)
    expect(judged(NAMES.work, { expires: 5 })).to.equal(1)
    expect(judged(NAMES.work, { 'max-length': 5 })).to.equal(0)
    expect(judged(NAMES.work, { 'max-length': 5, overflow: 'drop-head' })).to.equal(2)
    expect(judged(NAMES.failed, { 'max-length': 5 })).to.equal(1)
    expect(judged(NAMES.failed, { 'max-length': 5, overflow: 'reject-publish' })).to.equal(0)
    expect(judged(NAMES.failed, { 'delivery-limit': 5 })).to.equal(1)
    expect(judged(NAMES.failed, { 'delivery-limit': -1 })).to.equal(0)
    expect(judged(`${NAMES.work}:ledger`, { 'max-age': '1h' }, 'stream')).to.equal(1)
    expect(judged(`${NAMES.work}:ledger`, { 'max-length-bytes': 5 }, 'stream')).to.equal(1)
    expect(judged(`${NAMES.work}:control.x`, { expires: 5 }, 'classic')).to.equal(0)
    const fault = { name: NAMES.work, policy: 'a', operator_policy: 'b', effective_policy_definition: { expires: 5 } }
    expect(faultsOf(fault, NAMES)).to.deep.equal(['the policy a and b sets expires to 5 on jobport.q'])
  })

  it('that would lose jobs are refused, where the management interface may be asked', async () => {
    const broker = trial.broker({ management: server.management })
    const queue = broker.queue(trial.name)
    const hostile = [
      ['policies', { 'message-ttl': 60_000 }, 'message-ttl'],
      ['policies', { expires: 600_000 }, 'expires'],
      ['policies', { 'max-length': 100 }, 'max-length'],
      ['policies', { overflow: 'drop-head' }, 'overflow'],
      ['operator-policies', { 'message-ttl': 60_000 }, 'message-ttl'],
      ['policies', { 'max-age': '1h' }, ''],
    ] as const
    for (const [kind, definition, key] of hostile) {
      await server.policy(kind, 'theirs', { pattern: '.*', definition })
      const refused = queue.add('a', 1, { deadline: 5_000 }).catch((error: unknown) => error)
      if (key === '') expect(await refused).to.include({ added: true })
      else
        expect(await refused, key)
          .to.include({ code: 'SERVER_UNSUITABLE' })
          .and.property('message')
          .match(new RegExp(`theirs sets ${key} to .*jobs would be lost`))
      await server.unset(kind, 'theirs')
    }
    expect(await queue.add('a', 1)).to.include({ added: true })
    expect(trial.errors).to.deep.equal([])
  })

  it('that come later are told', async () => {
    const broker = trial.broker({ management: server.management })
    await broker.queue(trial.name).add('a', 1)
    await server.policy('policies', 'theirs', { pattern: '.*', definition: { 'message-ttl': 3_600_000 } })
    const error = await eventually('the event', () => trial.errors[0], undefined, 40_000)
    expect(error)
      .to.include({ code: 'SERVER_UNSUITABLE' })
      .and.property('message')
      .match(/theirs sets message-ttl/)
  })

  it('that nobody may see are no fault, but that is told', async () => {
    await server.user('untagged', 'canary-5f2e', { configure: '.*', write: '.*', read: '.*' })
    const management = server.management.replace('://', '://untagged:canary-5f2e@')
    const broker = trial.broker({ management })
    expect(await broker.queue(trial.name).add('a', 1)).to.include({ added: true })
    expect(trial.errors.map(({ message }) => message)).to.have.length(1)
    expect(trial.errors[0])
      .to.include({ code: 'ACCESS_DENIED' })
      .and.property('message')
      .match(/needs the tag 'management'/)
    await server.tag('untagged', 'canary-5f2e', 'management')
    const other = trial.broker({ management })
    expect(await other.queue(`${trial.name}-2`).add('a', 1)).to.include({ added: true })
    await other.queue(`${trial.name}-2`).drop()
    expect(trial.errors).to.have.length(1)
  })

  it('of lower priority than the documented ones do no harm', async () => {
    await server.policy('policies', 'theirs', {
      pattern: '.*',
      definition: { 'message-ttl': 300, 'max-length': 1, overflow: 'drop-head' },
    })
    await server.policy('policies', 'shield', SHIELD)
    await server.policy('operator-policies', 'theirs', { pattern: '.*', definition: { 'message-ttl': 300, 'max-length': 1 } })
    await server.policy('operator-policies', 'shield', OPERATORS_SHIELD)
    const broker = trial.broker({ management: server.management })
    const queue = broker.queue(trial.name)
    await queue.add('a', 'warm', { delay: 1 })
    const due = Date.now() + 9_000
    await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: n, options: { at: new Date(due) } })))
    await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: n, options: { id: `now-${n}` } })))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await queue.counts()).to.include({ waiting: 6, delayed: 5 })
    const early: number[] = []
    await trial.worker(broker, ({ id }) => {
      if (!id.startsWith('now')) early.push(Date.now())
      throw new Error('on purpose')
    })
    await eventually('eleven dead letters', async () => (await queue.counts()).dead === 11, undefined, 30_000)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect((await queue.counts()).dead).to.equal(11)
    expect(early.slice(1).filter((at) => at < due)).to.deep.equal([])
  })

  it('that have delayed jobs start early are told by the worker that sees it', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    await queue.add('a', 1, { delay: 60_000 })
    await server.policy('policies', 'theirs', {
      pattern: `^jobport[.]${trial.name}:delay`,
      definition: { 'max-length': 1, overflow: 'drop-head' },
    })
    await trial.worker(broker, () => undefined)
    await queue.addMany(Array.from({ length: 3 }, (_, n) => ({ name: 'a', data: n, options: { delay: 60_000 } })))
    const error = await eventually('the event', () => trial.errors[0])
    expect(error)
      .to.include({ code: 'SERVER_UNSUITABLE' })
      .and.property('message')
      .match(/start early/)
  })

  for (const [kind, job] of KINDS) {
    it(`that refuse dead letters leave the job settleable, and hold up no other: one ${kind}`, async () => {
      const hands = new Hands({ url: server.url })
      try {
        await hands.consume(1)
        // RabbitMQ refuses what comes once there are more than it may hold
        for (const n of [10, 11, 12]) {
          await hands.add(job(n))
          await (await hands.next('a job')).settle({ type: 'dead', reason: 'attempts', error: ERROR })
        }
        const definition = { 'max-length': 1, overflow: 'reject-publish' }
        await server.policy('policies', 'theirs', { pattern: ':failed$', definition })
        await hands.add(job(1), job(2), job(3))
        const doomed = await hands.next('the second job')
        for (const error of [ERROR, { name: 'Error', message: '' }]) {
          const refused = await doomed.settle({ type: 'dead', reason: 'attempts', error }).catch((thrown: unknown) => thrown)
          expect(refused).to.include({ code: 'REJECTED' })
          expect(doomed.lease.isLost).to.equal(false)
        }
        doomed.abandon()
        const others: number[] = []
        while (others.length < 2) {
          const delivery = await hands.next('another job', 5_000)
          if (delivery.message.data === 1) delivery.abandon()
          else await delivery.settle({ type: 'complete', result: null }).then(() => others.push(Number(delivery.message.data)))
        }
        expect(others.toSorted((a, b) => a - b)).to.deep.equal([2, 3])
        await server.unset('policies', 'theirs')
        await eventually(
          'the dead letter',
          async () => {
            const delivery = hands.deliveries.shift()
            if (delivery) await delivery.settle({ type: 'dead', reason: 'crashes', error: ERROR })
            return (await hands.admin.counts()).dead === 4
          },
          () => hands.errors.map(({ message }) => message),
          20_000,
        )
        const { jobs } = await hands.admin.list('dead', { limit: 10 })
        expect(jobs.map(({ message }) => message.data)).to.have.members([1, 10, 11, 12])
      } finally {
        await hands.driver.close()
        const cleaner = createDriver(server.url)
        await cleaner.connect({ down: () => {}, up: () => {}, error: () => {} })
        await cleaner.admin(hands.queue).drop()
        await cleaner.close()
      }
    })
  }
})
