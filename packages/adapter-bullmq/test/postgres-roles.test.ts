import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Client } from 'pg'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { Broker, type JobportError } from '@jobport/core'
import { eventually } from './trial.ts'

const URL_OF_ALL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport'
const PASSWORD = 'pw'

describe('BullMQ, roles of PostgreSQL', function () {
  this.timeout(30_000)
  const run = randomBytes(4).toString('hex')
  const [owner, user, stranger] = [`owner_${run}`, `user_${run}`, `stranger_${run}`]
  const schema = `roles_${run}`
  const admin = new Client(URL_OF_ALL)
  const database = new URL(URL_OF_ALL).pathname.slice(1)
  const brokers: Broker[] = []

  const brokerOf = (role: string): Broker => {
    const url = new URL(URL_OF_ALL)
    url.username = role
    url.password = PASSWORD
    const broker = new Broker(new BullMQDriver({ url: url.href, postgres: { schema } }), { deadline: 5_000 })
    brokers.push(broker)
    return broker
  }

  before(async () => {
    await admin.connect()
    for (const role of [owner, user, stranger]) await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`)
    await admin.query(`GRANT CREATE ON DATABASE ${database} TO ${owner}`)
  })

  afterEach(async () => {
    for (const broker of brokers.splice(0)) await broker.close({ timeout: 100 })
  })

  after(async () => {
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await admin.query(`REVOKE ALL ON DATABASE ${database} FROM ${owner}`)
    await admin.query(`DROP OWNED BY ${owner}, ${user}, ${stranger}`)
    await admin.query(`DROP ROLE ${owner}, ${user}, ${stranger}`)
    await admin.end()
  })

  it('make the schema with CREATE on the database, and then do everything', async () => {
    await worksAs(owner)
  })

  it('do everything with the documented grants on a schema that another role has made', async () => {
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${user}`)
    await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`)
    await admin.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${user}`)
    await worksAs(user)
  })

  it('are refused with ACCESS_DENIED where they may not', async () => {
    const broker = brokerOf(stranger)
    const refused = await broker
      .queue('none')
      .add('a', 1)
      .then(
        () => undefined,
        (error: unknown) => error as JobportError,
      )
    expect(refused).to.have.property('code', 'ACCESS_DENIED')
  })

  async function worksAs(role: string): Promise<void> {
    const broker = brokerOf(role)
    const errors: Error[] = []
    broker.on('error', (error) => errors.push(error))
    const queue = broker.queue(`q-${role}`)
    const ended: string[] = []
    const worker = broker.worker(queue.name, ({ id }) => {
      if (id === 'dies') throw new Error('as told')
    })
    worker.on('error', (error) => errors.push(error))
    worker.on('completed', ({ id }) => ended.push(id))
    worker.on('dead', ({ id }) => ended.push(id))
    await worker.ready()
    await queue.add('a', 1, { id: 'works' })
    await queue.add('a', 1, { id: 'dies' })
    await eventually(
      'two ends',
      () => ended.length === 2,
      () => ({ ended, errors: errors.map(({ message }) => message) }),
    )
    await queue.pause()
    await queue.add('a', 1, { id: 'late', delay: 60_000 })
    expect(await queue.remove('late')).to.equal(true)
    await queue.resume()
    expect((await queue.deadLetters.list()).jobs).to.have.length(1)
    expect(await queue.deadLetters.remove('dies')).to.equal(true)
    expect((await broker.health()).ok).to.equal(true)
    expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    await queue.drop()
    expect(errors).to.deep.equal([])
  }
})
