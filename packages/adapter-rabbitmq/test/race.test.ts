import { fork } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'

const PROCESSES = 5
const CONNECTIONS = 50
const IDS = 100
const REMOVALS = 1_000
const AT_ONCE = 50

describe('RabbitMQ, races', function () {
  this.timeout(120_000)
  let trial: Trial

  beforeEach(() => {
    trial = new Trial()
  })

  afterEach(() => trial.close())

  it('50 connections in five processes add the same 100 ids: 100 jobs are stored', async () => {
    const racers = Array.from({ length: PROCESSES }, () =>
      fork(new URL('./racer.ts', import.meta.url), [trial.url, trial.name, String(CONNECTIONS / PROCESSES), String(IDS)]),
    )
    await Promise.all(racers.map((racer) => once(racer, 'message')))
    const answers = racers.map(async (racer) => {
      const [answer] = (await once(racer, 'message')) as [{ added: string[]; answered: number }]
      return answer
    })
    for (const racer of racers) racer.send('go')
    const told = await Promise.all(answers)
    expect(told.reduce((sum, { answered }) => sum + answered, 0)).to.equal(CONNECTIONS * IDS)
    const added = told.flatMap((answer) => answer.added)
    expect(new Set(added).size).to.equal(IDS)
    expect(added).to.have.length(IDS)

    const queue = trial.broker().queue(trial.name)
    expect((await queue.list('waiting', { limit: 1_000 })).jobs).to.have.length(IDS)
    const ran: string[] = []
    await trial.worker(trial.broker(), ({ id }) => void ran.push(id), { concurrency: 20 })
    await eventually('the end', async () => Object.values(await queue.counts()).every((count) => count === 0))
    expect(ran.toSorted()).to.deep.equal(added.toSorted())
  })

  it('remove beside 1,000 starts: never both true and run', async () => {
    const queue = trial.broker().queue(trial.name)
    const ran = new Set<string>()
    await trial.worker(trial.broker(), ({ id }) => void ran.add(id), { concurrency: 20 })
    const removed: string[] = []
    for (let from = 0; from < REMOVALS; from += AT_ONCE) {
      const add = async (_: unknown, i: number): Promise<void> => {
        const id = `race-${from + i}`
        await queue.add('a', 1, { id, ...(Math.random() < 0.3 && { delay: 1 }) })
        if (await queue.remove(id)) removed.push(id)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, add))
    }
    await eventually(
      'the ends',
      () => ran.size + removed.length >= REMOVALS,
      () => [ran.size, removed.length],
    )
    await eventually('nothing left', async () => Object.values(await queue.counts()).every((count) => count === 0))
    expect(removed.filter((id) => ran.has(id))).to.deep.equal([])
  })
})
