import { expect } from 'chai'
import { Client } from 'pg'
import { Bare, messageOf } from './both.ts'
import { eventually } from './trial.ts'

const URL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport'
const CLAIMS_THAT_WAIT = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%move_to_active%'`

describe('BullMQ on PostgreSQL, a job whose time has come', function () {
  this.timeout(30_000)

  it('comes after the jobs that wait already, though somebody held its row as a worker looked', async () => {
    const bare = await new Bare(URL).connect()
    const [holder, watcher] = [new Client(URL), new Client(URL)]
    await Promise.all([holder.connect(), watcher.connect()])
    try {
      await bare.add(messageOf({ uid: 'due', name: 'due', delay: 100 }))
      await bare.add(messageOf({ name: 'waits' }))
      const admin = bare.driver.admin(bare.name)
      await eventually('the due time', async () => (await admin.counts()).waiting === 2)
      await holder.query('BEGIN')
      await holder.query(`SELECT 1 FROM bullmq.job WHERE queue = $1 AND id = 'due' FOR UPDATE`, [bare.name])
      await bare.consume(1)
      await eventually('a claim that waits for the row', async () => (await watcher.query(CLAIMS_THAT_WAIT)).rows.length > 0)
      await holder.query('ROLLBACK')
      const first = await bare.delivery(0)
      await first.settle({ type: 'complete', result: null })
      const second = await bare.delivery(1)
      await second.settle({ type: 'complete', result: null })
      expect([first, second].map(({ message }) => message.name)).to.deep.equal(['waits', 'due'])
    } finally {
      await Promise.all([holder.end(), watcher.end()])
      await bare.close()
    }
  })
})
