import { openBroker, type RunningBroker } from '@jobport/brokers'
import { expect } from 'chai'
import { Trial } from './trial.ts'

const IDS = ['dead-1', 'dead-2', 'dead-3']
/** ms. Longer than RabbitMQ waits for the leader of a quorum queue before it answers for it. */
const STALL = 3_000

describe('RabbitMQ, a queue whose leader does not answer', function () {
  this.timeout(180_000)
  let server: RunningBroker
  let trial: Trial

  before(async () => {
    server = await openBroker('rabbitmq', { ways: ['local'], own: true })
  })

  after(() => server.close())

  beforeEach(() => {
    trial = new Trial(server.url)
  })

  afterEach(() => trial.close())

  /** What is answered to a question that is asked while RabbitMQ calls the queue empty, as it is not. */
  async function asked<T>(name: string, ask: () => Promise<T>): Promise<T> {
    await server.stall!(name, STALL)
    const answer = ask()
    answer.catch(() => {})
    const channel = await trial.channel()
    expect(await channel.checkQueue(name)).to.include({ messageCount: 0, consumerCount: 0 })
    return answer
  }

  it('is not taken for empty by who reads dead letters or counts', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    const worker = await trial.worker(broker, () => Promise.reject(new Error('on purpose')))
    const died: string[] = []
    const all = new Promise<void>((resolve) => worker.on('dead', ({ id }) => died.push(id) === IDS.length && resolve()))
    await queue.addMany(IDS.map((id) => ({ name: 'a', data: 1, options: { id, attempts: 1 } })))
    await all
    await worker.stop()
    await queue.add('stays', 1)
    const counts = { waiting: 1, delayed: 0, active: 0, dead: IDS.length }
    const failed = `${trial.work}:failed`
    expect(await asked(failed, () => queue.deadLetters.get('dead-1'))).to.include({ id: 'dead-1' })
    const { jobs } = await asked(failed, () => queue.deadLetters.list())
    expect(jobs.map(({ id }) => id)).to.have.members(IDS)
    expect(await asked(failed, () => queue.counts())).to.deep.equal(counts)
    expect(await asked(trial.work, () => queue.counts())).to.deep.equal(counts)
  })

  it('is not taken for one without workers by who pauses', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    const ran: string[] = []
    await trial.worker(broker, ({ name }) => void ran.push(name))
    await asked(`${trial.work}:members`, () => queue.pause())
    await queue.addMany([
      { name: 'a', data: 1 },
      { name: 'b', data: 1 },
    ])
    expect(await queue.counts()).to.include({ waiting: 2, active: 0 })
    expect(ran).to.deep.equal([])
  })
})
