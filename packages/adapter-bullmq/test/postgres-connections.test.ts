import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Client, types } from 'pg'
import { openPgBouncer, type Pooler } from '@jobport/brokers'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { Broker, type JobportError } from '@jobport/core'
import { Bare, messageOf, QUICK } from './both.ts'
import { eventually } from './trial.ts'

const URL_OF_ALL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport'

describe('BullMQ on PostgreSQL, connections', function () {
  this.timeout(60_000)
  const admin = new Client(URL_OF_ALL)
  const database = `connections_${randomBytes(4).toString('hex')}`
  const url = new URL(URL_OF_ALL)
  url.pathname = `/${database}`
  const closing: (() => Promise<unknown>)[] = []

  const connections = async (): Promise<number> => {
    const { rows } = await admin.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`,
      [database],
    )
    return rows[0]!.count
  }

  before(async () => {
    await admin.connect()
    await admin.query(`CREATE DATABASE ${database}`)
  })

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  after(async () => {
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`)
    await admin.end()
  })

  for (const maxConnections of [5, 10])
    it(`are ${maxConnections} at most for 30 workers, producers and lookups, and all of them make progress`, async () => {
      const broker = new Broker(new BullMQDriver({ url: url.href, maxConnections, ...QUICK, lockDuration: 5_000 }), {
        deadline: 30_000,
      })
      closing.push(() => broker.close({ timeout: 0 }))
      await eventually('none of the last test', async () => (await connections()) === 0)
      const names = Array.from({ length: 30 }, (_, i) => `q${i}-${maxConnections}`)
      const ran = new Map(names.map((name) => [name, 0]))
      let most = 0
      const over = new AbortController()
      const watching = (async () => {
        while (!over.signal.aborted) most = Math.max(most, await connections())
      })()
      const workers = names.map((name) => broker.worker(name, () => void ran.set(name, ran.get(name)! + 1), { concurrency: 5 }))
      await Promise.all(workers.map((worker) => worker.ready()))
      await Promise.all(
        names.map(async (name) => {
          const queue = broker.queue(name)
          await queue.addMany(Array.from({ length: 20 }, (_, i) => ({ name: 'a', data: i })))
          expect((await queue.counts()).dead).to.equal(0)
        }),
      )
      await eventually(
        'all of them',
        () => [...ran.values()].every((count) => count >= 20),
        () => [...ran],
        40_000,
      )
      expect((await broker.health()).ok).to.equal(true)
      over.abort()
      await watching
      expect([...ran.values()]).to.deep.equal(names.map(() => 20))
      expect(most).to.be.within(3, maxConnections)
    })

  it('wait for their turn: of 4,000 looks at once none is refused', async () => {
    const bare = await new Bare(url.href).connect()
    closing.push(() => bare.close())
    await bare.add(messageOf({ id: 'mine', uid: 'u' }))
    const looks = Array.from({ length: 4_000 }, () => bare.driver.admin(bare.name).get('mine', 'live'))
    const found = await Promise.allSettled(looks)
    expect(found.filter(({ status }) => status === 'rejected')).to.deep.equal([])
    expect(await connections()).to.be.at.most(10)
  })

  it('that are all taken cost no lease, and no settlement', async () => {
    const bare = await new Bare(url.href, { maxConnections: 5 }).connect()
    closing.push(() => bare.close())
    await bare.add(messageOf({ uid: 'held', delay: 60_000 }), messageOf({ uid: 'worked' }))
    await bare.consume(1)
    const delivery = await bare.delivery(0)
    const holder = new Client(url.href)
    await holder.connect()
    await holder.query('BEGIN')
    await holder.query(`SELECT 1 FROM bullmq.job WHERE queue = $1 AND id = 'held' FOR UPDATE`, [bare.name])
    const removals = Array.from({ length: 10 }, () =>
      bare.driver
        .admin(bare.name)
        .remove('held', 'live')
        .catch(() => false),
    )
    const settling = delivery.settle({ type: 'complete', result: null })
    const since = performance.now()
    await eventually('two leases', () => performance.now() - since > 2 * QUICK.lockDuration)
    expect(delivery.lease.isLost).to.equal(false)
    await holder.query('ROLLBACK')
    await settling
    expect((await Promise.all(removals)).filter(Boolean)).to.have.length(1)
    expect(delivery.crashes).to.equal(0)
    expect(await bare.driver.admin(bare.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    await holder.end()
  })

  it("read with parsers of their own, whatever the application has told pg's", async () => {
    const { BOOL, INT8, INT2, INT4, TEXT, JSON, TIMESTAMP, TIMESTAMPTZ, JSONB } = types.builtins
    const ids = [BOOL, INT8, INT2, INT4, TEXT, JSON, TIMESTAMP, TIMESTAMPTZ, JSONB]
    const parsers = ids.map((id) => types.getTypeParser(id))
    try {
      for (const id of ids) types.setTypeParser(id, (text) => `told ${text}`)
      const bare = await new Bare(url.href).connect()
      closing.push(() => bare.close())
      await bare.add(messageOf({ attempts: 3, data: { n: 1 } }))
      await bare.consume(1)
      const first = await bare.delivery(0)
      expect([first.attempt, first.crashes, first.message.attempts, first.message.data]).to.deep.equal([1, 0, 3, { n: 1 }])
      await first.settle({ type: 'again', attempt: 2, delay: 10, error: { name: 'E', message: 'm' } })
      const second = await bare.delivery(1)
      expect(second.attempt).to.equal(2)
      await second.settle({ type: 'dead', error: { name: 'E', message: 'm' }, reason: 'unrecoverable' })
      const queue = bare.driver.admin(bare.name)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 1 })
      expect((await queue.list('dead', { limit: 5 })).jobs[0]).to.include({ attempt: 2 })
      expect(await queue.purge('dead')).to.equal(1)
      expect(await queue.status()).to.deep.equal({ paused: false, workers: 1 })
    } finally {
      ids.forEach((id, i) => types.setTypeParser(id, parsers[i] as (text: string) => unknown))
    }
  })

  for (const level of ['repeatable read', 'serializable'])
    it(`work beside each other on a database whose default is ${level}`, async () => {
      await admin.query(`ALTER DATABASE ${database} SET default_transaction_isolation = '${level}'`)
      try {
        const bare = await new Bare(url.href).connect()
        closing.push(() => bare.close())
        await bare.consume(10)
        const queue = bare.driver.admin(bare.name)
        const settling = (async () => {
          for (let i = 0; i < 100; i++)
            await (await bare.delivery(i)).settle(
              i % 2 === 0
                ? { type: 'complete', result: i }
                : { type: 'dead', error: { name: 'E', message: 'm' }, reason: 'attempts' },
            )
        })()
        const calls: Promise<unknown>[] = []
        for (let i = 0; i < 100; i++) {
          calls.push(
            bare.add(messageOf({ uid: `u${i}`, id: `i${i}` })),
            bare.add(messageOf({ uid: `v${i}`, id: `late${i}`, delay: 60_000 })),
          )
          calls.push(
            queue.remove(`late${i - 1}`, 'live'),
            queue.get(`i${i}`, 'live'),
            queue.counts(),
            queue.redrive(`u${i - 30}`, { uid: `w${i}` }),
          )
        }
        const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected')
        expect(failed).to.deep.equal([])
        await settling
        expect(bare.errors).to.deep.equal([])
      } finally {
        await admin.query(`ALTER DATABASE ${database} RESET default_transaction_isolation`)
      }
    })

  describe('through PgBouncer', () => {
    const open = async (mode: 'session' | 'transaction'): Promise<Pooler> => {
      const pooler = await openPgBouncer(url.href, mode)
      closing.push(() => pooler.close())
      return pooler
    }

    it('in transaction mode are refused, and told why', async () => {
      const pooler = await open('transaction')
      for (let round = 0; round < 5; round++) {
        const bare = new Bare(pooler.url)
        const refused = await bare.connect().then(
          () => undefined,
          (error: JobportError) => error,
        )
        await bare.driver.close()
        expect(refused).to.include({ code: 'SERVER_UNSUITABLE' })
        expect(refused!.message).to.match(/notifications do not arrive.*transaction mode.*pool_mode = session/)
      }
    })

    it('in session mode work', async () => {
      const pooler = await open('session')
      const bare = await new Bare(pooler.url).connect()
      closing.push(() => bare.close())
      await bare.consume(2)
      for (let i = 0; i < 20; i++) {
        await bare.add(messageOf({}))
        await (await bare.delivery(i)).settle({ type: 'complete', result: null })
      }
      expect(await bare.driver.admin(bare.name).status()).to.deep.equal({ paused: false, workers: 1 })
    })
  })
})
