import { expect } from 'chai'
// loaded before mocha looks for new globals
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { saboteurs, spoiledHarness, trySaboteurs } from '@jobport/conformance'
import { LEASE } from './lease.ts'

// What the suite's saboteurs on memory cannot show: processes that are frozen, connections that are cut.

const url = `${process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'}?lockDuration=${LEASE}&stalledInterval=500`
const module = new URL(import.meta.resolve('@jobport/adapter-bullmq'))

describe('saboteurs on a broker', () => {
  it('are caught, each by the case that names it, on an assertion of its own', async function () {
    this.timeout(600_000)
    expect(BullMQDriver).to.be.a('function')
    const chosen = saboteurs.filter(({ needs }) => needs === 'broker')
    expect(chosen).to.have.length.at.least(3)
    const { verdicts } = await trySaboteurs(
      ({ name }) => spoiledHarness(name, module, url),
      () => {},
      chosen,
    )
    expect(verdicts.map(({ saboteur: { name }, caught }) => ({ name, caught }))).to.have.deep.members(
      chosen.map(({ name }) => ({ name, caught: true })),
    )
  })
})
