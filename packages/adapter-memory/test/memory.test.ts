import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { MemoryDriver, type MemoryOptions } from '@jobport/adapter-memory'
import { JobportError } from '@jobport/core'
import { closeAll, consumed, EMPTY, HOUR, message, open, raw, refusal, work } from './clients.ts'

describe('memory adapter', () => {
  afterEach(closeAll)

  describe('stores', () => {
    it('are shared by name, whether by options or by URL', async () => {
      const store = randomUUID()
      const [one, two] = [await raw({ store }), await raw(`memory://${store}`)]
      await one.publish('q', [message('x')])
      expect(await two.admin('q').counts()).to.include({ waiting: 1 })
      expect((await two.publish('q', [message('x')]))[0]).to.include({ status: 'duplicate' })
    })

    it('are not shared otherwise', async () => {
      const store = randomUUID()
      for (const busy of [await raw(), await raw({ store })]) await busy.publish('q', [message('x')])
      const others = [await raw(), await raw('memory://'), await raw({ store: `${store}-2` })]
      for (const other of others) expect(await other.admin('q').counts()).to.deep.equal(EMPTY)
    })

    it('outlive their drivers when they have a name', async () => {
      const store = randomUUID()
      const first = await raw({ store })
      await first.publish('q', [message('kept')])
      await first.close()
      const { next } = await consumed(await raw({ store }))
      expect((await next()).message.id).to.equal('kept')
    })

    it('share the work among drivers, each job for one of them', async () => {
      const store = randomUUID()
      const clients = [open({ store }), open({ store })]
      const ran: { client: number; id: string }[] = []
      for (const [client, { broker }] of clients.entries()) await work(broker, async ({ id }) => void ran.push({ client, id }))
      const ids = Array.from({ length: 20 }, (_, i) => `job-${i}`)
      await clients[0]!.broker.queue('q').addMany(ids.map((id) => ({ name: 'a', data: 1, options: { id } })))
      await clients[0]!.driver.drain()
      expect(ran.map(({ id }) => id)).to.have.members(ids)
      expect(new Set(ran.map(({ client }) => client)).size).to.equal(2)
    })
  })

  it('keeps count and order of what waits while most of it is removed', async () => {
    const driver = await raw()
    const ids = Array.from({ length: 5_000 }, (_, i) => `job-${i}`)
    await driver.publish(
      'q',
      ids.map((id) => message(id)),
    )
    const kept = ids.filter((_, i) => i % 100 === 7)
    for (const id of ids) if (!kept.includes(id)) expect(await driver.admin('q').remove(id, 'live')).to.equal(true)
    expect(await driver.admin('q').counts()).to.deep.equal({ ...EMPTY, waiting: kept.length })
    const { next } = await consumed(driver)
    const ran: string[] = []
    for (const _ of kept) {
      const delivery = await next()
      ran.push(delivery.message.id)
      await delivery.settle({ type: 'complete', result: null })
    }
    expect(ran).to.deep.equal(kept)
    expect(await driver.admin('q').counts()).to.deep.equal(EMPTY)
  })

  describe('close', () => {
    it('hands what is unsettled to another driver as it was, and takes no settlement of it any more', async () => {
      const store = randomUUID()
      const [one, two] = [await raw({ store }), await raw({ store })]
      await one.publish('q', [message('x', { attempts: 3 })])
      const mine = await consumed(one)
      await (await mine.next()).settle({ type: 'again', delay: 0, attempt: 2 })
      const held = await mine.next()
      const theirs = await consumed(two)
      await one.close()
      const taken = await theirs.next()
      expect(held.lease.isLost).to.equal(true)
      expect(taken).to.include({ attempt: 2, crashes: 0, stalled: false })
      await refusal(held.settle({ type: 'complete', result: null }), 'LEASE_LOST')
      await taken.settle({ type: 'complete', result: null })
      expect(await two.admin('q').counts()).to.deep.equal(EMPTY)
    })

    it('puts what it hands back before what arrived later, and is idempotent', async () => {
      const store = randomUUID()
      const [one, two] = [await raw({ store }), await raw({ store })]
      await one.publish('q', [message('first'), message('second')])
      await (await consumed(one)).next()
      await one.close()
      await one.close()
      expect((await (await consumed(two)).next()).message.id).to.equal('first')
    })

    it('lets the process end, which a connected driver holds open', async () => {
      const program = (end: string): string => `
        import { MemoryDriver } from '@jobport/adapter-memory'
        const driver = new MemoryDriver()
        await driver.connect()
        await driver.publish('q', [${JSON.stringify(message('x', { delay: HOUR }))}])
        ${end}`
      const run = async (end: string): Promise<string> => {
        const args = ['--input-type=module', '--eval', program(end)]
        return (await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, timeout: 8_000 })).stdout
      }
      expect(await run("await driver.close(); process.on('exit', () => console.log('by itself'))")).to.equal('by itself\n')
      expect(await run("setTimeout(() => { console.log('still here'); process.exit() }, 50).unref()")).to.equal('still here\n')
    })
  })

  it('keeps data as text: nobody shares an object with the queue, with a list or with another delivery', async () => {
    const driver = await raw()
    const data = { list: [1] }
    const headers = { h: '1' }
    await driver.publish('q', [message('x', { data, headers, attempts: 2 })])
    data.list.push(2)
    headers.h = '2'
    const { jobs } = await driver.admin('q').list('waiting', { limit: 1 })
    Object.assign(jobs[0]!.message.data as object, { list: [3] })
    const { next } = await consumed(driver)
    const first = await next()
    Object.assign(first.message.data as object, { list: [4] })
    await first.settle({ type: 'again', delay: 0, attempt: 2 })
    const { message: seen } = await next()
    expect({ data: seen.data, headers: seen.headers }).to.deep.equal({ data: { list: [1] }, headers: { h: '1' } })
  })

  it('drops a queue with its timers and its dedup windows', async () => {
    const driver = await raw()
    await driver.publish('q', [message('late', { delay: 20 }), message('kept', { dedup: { ttl: HOUR } })])
    await driver.admin('q').drop()
    const { next, seen } = await consumed(driver)
    await driver.publish('q', [message('mark', { delay: 60 })])
    expect((await next()).message.id).to.equal('mark')
    expect(seen).to.have.length(1)
    expect((await driver.publish('q', [message('kept')]))[0]).to.deep.equal({ status: 'added' })
  })

  it('refuses mistaken options, all of them at once', () => {
    const mistakes: readonly (readonly [unknown, readonly string[]])[] = [
      [{ stor: 'x' }, ["unknown option 'stor'", 'known: store, clock, maxPayload']],
      [{ store: 5, maxPayload: 0 }, ['store must be a string', 'maxPayload must be bytes']],
      [{ maxPayload: 1.5 }, ['maxPayload']],
      [{ clock: Date }, ['clock must be a VirtualClock']],
      ['memory://name?size=5', ["unknown option 'size'"]],
      ['memory://name/path#part', ["unknown option 'path'", "unknown option 'fragment'"]],
      ['memory://a:1,b:2', ['must be memory://']],
    ]
    for (const [options, texts] of mistakes) {
      const make = (): MemoryDriver => new MemoryDriver(options as MemoryOptions)
      expect(make).to.throw(JobportError).that.has.property('code', 'INVALID_CONFIG')
      for (const text of texts) expect(make).to.throw(text)
    }
  })

  it('refuses a payload over maxPayload before it is stored', async () => {
    const queue = open({ maxPayload: 10 }).broker.queue('q')
    await queue.add('a', '12345678')
    await refusal(queue.add('a', '123456789'), 'PAYLOAD_TOO_LARGE')
    expect(await queue.counts()).to.include({ waiting: 1 })
  })
})
