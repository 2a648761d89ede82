import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { expect } from 'chai'
import type { Broker } from '@jobport/core'
import { eventually, Trial } from './trial.ts'

type Api = Parameters<Parameters<typeof createBullBoard>[0]['serverAdapter']['setApiRoutes']>[0]
type Queues = Parameters<Parameters<typeof createBullBoard>[0]['serverAdapter']['setQueues']>[0]
type Board = (method: 'get' | 'put', route: string, params?: Record<string, string>) => Promise<unknown>
type Shown = { readonly counts: Record<string, number>; readonly jobs: readonly Record<string, unknown>[] }

describe('BullMQ, on a board', () => {
  let trial: Trial
  let broker: Broker
  let board: Board

  const show = async (status: string): Promise<Shown> => {
    const { queues } = (await board('get', '/api/queues', { status })) as { queues: Shown[] }
    return queues[0]!
  }

  beforeEach(() => {
    trial = new Trial()
    broker = trial.broker()
    board = boardOf(trial)
  })

  afterEach(() => trial.close())

  it('shows data, options and delays of what waits', async () => {
    const queue = broker.queue(trial.name)
    const { uid } = await queue.add(
      'confirm',
      { orderId: 42 },
      { attempts: 3, backoff: { type: 'fixed', delay: 20 }, id: 'order:42' },
    )
    await queue.add('late', 1, { delay: 60_000 })
    await queue.add('urgent', 1, { priority: 4 })
    const waiting = await show('waiting')
    expect(waiting.jobs).to.have.length(1)
    expect(waiting.jobs[0]).to.deep.include({
      id: uid,
      name: 'confirm',
      data: { orderId: 42 },
      attempts: 0,
      deduplicationId: 'order:42',
    })
    expect(waiting.jobs[0]!['opts']).to.deep.include({ attempts: 3, backoff: { type: 'fixed', delay: 20 } })
    expect((await show('delayed')).jobs[0]).to.deep.include({ name: 'late', delay: 60_000 })
    expect((await show('prioritized')).jobs[0]).to.deep.include({ name: 'urgent', priority: 4 })
    expect(waiting.counts).to.include({ waiting: 1, delayed: 1, prioritized: 1, active: 0, failed: 0, completed: 0 })
  })

  it('shows the attempts, reason and stack traces of the dead, and the results of the completed', async () => {
    await trial.worker(broker, ({ name, attempt }) => {
      if (name === 'fail') throw new RangeError(`run ${attempt}`)
      return { sum: 3 }
    })
    await broker.queue(trial.name).add('fail', 1, { attempts: 2 })
    await broker.queue(trial.name).add('ok', 1)
    await eventually('both', async () => {
      const { completed, dead } = { completed: (await show('completed')).jobs.length, dead: (await show('failed')).jobs.length }
      return completed + dead === 2
    })
    const [dead] = (await show('failed')).jobs
    expect(dead).to.deep.include({ name: 'fail', attempts: 2, failedReason: 'run 2', isFailed: true })
    expect(dead!['opts']).to.include({ attempts: 2 })
    const stacks = dead!['stacktrace'] as string[]
    expect(stacks).to.have.length(2)
    expect(stacks[0], 'newest first').to.match(/^RangeError: run 2\n +at .*board\.test\.ts/)
    expect((await show('completed')).jobs[0]).to.deep.include({ name: 'ok', attempts: 1, returnValue: { sum: 3 } })
  })

  it('retries a dead letter, and our worker runs it again as the same job', async () => {
    const ran: { uid: string; attempt: number }[] = []
    let broken = true
    await trial.worker(broker, ({ uid, attempt }) => {
      ran.push({ uid, attempt })
      if (broken) throw new Error('broken')
    })
    const queue = broker.queue(trial.name)
    const { uid } = await queue.add('a', 1, { id: 'mine' })
    await eventually('death', () => queue.deadLetters.get('mine'))
    broken = false
    await board('put', '/api/queues/:queueName/:jobId/retry', { jobId: uid! })
    await eventually(
      'completion',
      async () => (await show('completed')).counts['completed'] === 1,
      () => ran,
    )
    expect(ran.map((run) => run.uid)).to.deep.equal([uid, uid])
    expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    expect((await queue.add('a', 1, { id: 'mine', delay: 60_000 })).added, 'its id is free').to.equal(true)
  })

  it('counts the failed set and the dead letters alike, whoever put a job there', async () => {
    await trial.worker(broker, () => {
      throw new Error('ours')
    })
    const queue = broker.queue(trial.name)
    await queue.add('a', 1, { id: 'ours' })
    await trial.plainQueue().add('a', 1, { jobId: 'plain' })
    await eventually('two dead', async () => (await queue.counts()).dead === 2)
    expect((await show('failed')).counts['failed']).to.equal(2)
    const { jobs } = await queue.deadLetters.list()
    expect(jobs.map(({ id }) => id).toSorted()).to.deep.equal(['ours', 'plain'])
    await queue.deadLetters.purge()
    expect((await show('failed')).counts['failed']).to.equal(0)
  })

  describe('keeps', () => {
    const settle = async (owner: Broker, names: readonly string[]): Promise<void> => {
      let settled = 0
      const worker = await trial.worker(
        owner,
        ({ name }) => {
          if (name === 'fail') throw new Error('no')
        },
        { concurrency: 10 },
      )
      for (const event of ['completed', 'failed'] as const) worker.on(event, () => (settled += 1))
      await owner.queue(trial.name).addMany(names.map((name) => ({ name, data: 1 })))
      await eventually(
        'all settled',
        () => settled === names.length,
        () => settled,
        50_000,
      )
      await worker.stop()
    }
    const kept = async (): Promise<unknown> => trial.plainQueue().getJobCounts('completed', 'failed')

    it('the last 1,000 completed and all dead by default', async function () {
      this.timeout(60_000)
      await settle(broker, [...Array<string>(1_010).fill('ok'), ...Array<string>(1_010).fill('fail')])
      expect(await kept()).to.deep.equal({ completed: 1_000, failed: 1_010 })
    })

    it('as many as told', async () => {
      await settle(trial.broker({ keep: { completed: { count: 3 }, dead: { count: 2 } } }), [
        ...Array<string>(9).fill('ok'),
        ...Array<string>(9).fill('fail'),
      ])
      expect(await kept()).to.deep.equal({ completed: 3, failed: 2 })
    })

    it('none if told so', async () => {
      await settle(trial.broker({ keep: { completed: { count: 0 } } }), ['ok', 'ok'])
      expect(await kept()).to.deep.equal({ completed: 0, failed: 0 })
    })

    it('those that are young enough, once another job ends', async () => {
      const owner = trial.broker({ keep: { completed: { age: 1_000 }, dead: { age: 1_000 } } })
      await settle(owner, ['ok', 'ok', 'fail'])
      expect(await kept()).to.deep.equal({ completed: 2, failed: 1 })
      const aged = Date.now() + 1_100
      await eventually('old age', () => Date.now() > aged)
      await settle(owner, ['ok', 'fail'])
      expect(await kept()).to.deep.equal({ completed: 1, failed: 1 })
    })
  })
})

/** Bull Board without its pages: what they ask for, and get. */
function boardOf(trial: Trial): Board {
  let api: Api = []
  let queues: Queues = new Map()
  const serverAdapter = {
    setQueues: (given: Queues) => ((queues = given), serverAdapter),
    setApiRoutes: (given: Api) => ((api = given), serverAdapter),
    setViewsPath: () => serverAdapter,
    setStaticPath: () => serverAdapter,
    setEntryRoute: () => serverAdapter,
    setErrorHandler: () => serverAdapter,
    setUIConfig: () => serverAdapter,
  }
  createBullBoard({
    queues: [new BullMQAdapter(trial.plainQueue())],
    serverAdapter,
    options: { uiBasePath: '.', uiConfig: {}, validateResponses: true },
  })
  return async (method, route, params = {}) => {
    const found = api.find((one) => [one.method].flat().includes(method) && [one.route].flat().includes(route))
    const query = { activeQueue: trial.name, page: '1', jobsPerPage: '20', status: params['status'] }
    const { status = 200, body } = await found!.handler({
      queues,
      uiConfig: {},
      query,
      params: { queueName: trial.name, ...params },
      body: {},
      headers: {},
    })
    if (status >= 400) throw new Error(`${method} ${route}: ${status} ${JSON.stringify(body)}`)
    return body
  }
}
