import { headers } from '@nats-io/transport-node'
import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'

const LETTERS = 30_000
const ROUNDS = 9
const JOBS = 100
/** Of what they cost without the letters. A server that looks at each letter for each job takes ten times as long and more. */
const MOST = 4

describe('NATS, many dead letters', function () {
  this.timeout(60_000)
  const trials: Trial[] = []

  afterEach(async () => {
    for (const trial of trials.splice(0)) await trial.close()
  })

  it('make neither an add nor a run dearer', async () => {
    const [bare, laden] = [new Trial(), new Trial()]
    trials.push(bare, laden)
    const runs = [await running(bare), await running(laden)]
    await bury(laden)
    const costs: number[][] = [[], []]
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, run] of runs.entries()) {
        const start = performance.now()
        await run()
        costs[i]!.push(performance.now() - start)
      }
    const [without, beside] = costs.map(median)
    expect(beside! / without!).to.be.below(MOST)
  })
})

/** Adds jobs, and sees their ends. */
async function running(trial: Trial): Promise<() => Promise<void>> {
  const queue = trial.broker().queue(trial.name)
  const jobs = Array.from({ length: JOBS }, (_, i) => ({ name: 'a', data: i }))
  let left = 0
  let end = (): void => {}
  const worker = await trial.worker(trial.broker(), () => {}, { concurrency: JOBS })
  worker.on('completed', () => void (--left === 0 && end()))
  return async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    left = JOBS
    end = resolve
    await queue.addMany(jobs)
    await promise
  }
}

/** As a worker writes them, but without waiting for each. */
async function bury(trial: Trial): Promise<void> {
  const { connection } = await trial.plain()
  for (let i = 0; i < LETTERS; i++) {
    const own = headers()
    own.set('jobport-uid', `u${i}`)
    own.set('jobport-dead', JSON.stringify({ reason: 'attempts', error: { name: 'Error', message: 'no' } }))
    const body = JSON.stringify({ id: `i${i}`, uid: `u${i}`, name: 'a', data: i })
    connection.publish(`jobport.${trial.name}.f.0.i${i}.u${i}`, body, { headers: own })
    if (i % 1_000 === 0) await connection.flush()
  }
  const queue = trial.broker().queue(trial.name)
  await eventually('as many dead letters', async () => (await queue.counts()).dead === LETTERS, undefined, 30_000)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
