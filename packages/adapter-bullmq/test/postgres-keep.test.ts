import { randomBytes } from 'node:crypto'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { Broker } from '@jobport/core'
import { expect } from 'chai'
import { Client } from 'pg'
import { eventually } from './trial.ts'

const URL_OF_ALL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport'

describe('BullMQ on PostgreSQL, completed jobs', function () {
  this.timeout(30_000)
  const client = new Client(URL_OF_ALL)
  before(() => client.connect())
  after(() => client.end())

  for (const { count, jobs, least, most } of [
    { count: 5, jobs: 30, least: 5, most: 5 },
    { count: 100, jobs: 155, least: 101, most: 110 },
  ])
    it(`are kept to ${count} of ${jobs}, or to ${most} at most`, async () => {
      const name = `keep-${randomBytes(4).toString('hex')}`
      const broker = new Broker(new BullMQDriver({ url: URL_OF_ALL, keep: { completed: { count } } }))
      try {
        let completed = 0
        broker.worker(name, () => {}, { concurrency: 1 }).on('completed', () => void completed++)
        await broker.queue(name).addMany(Array.from({ length: jobs }, (_, i) => ({ name: 'a', data: i })))
        await eventually('all of them', () => completed === jobs)
        const { rows } = await client.query<{ kept: number }>(
          `SELECT count(*)::int AS kept FROM bullmq.job WHERE queue = $1 AND state = 'completed'`,
          [name],
        )
        expect(rows[0]!.kept).to.be.within(least, most)
        await broker.queue(name).drop()
      } finally {
        await broker.close({ timeout: 0 })
      }
    })
})
