import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Broker, JobportError } from '@jobport/core'
import type { Message, PublishResult } from '@jobport/core/driver'
import { ScriptedDriver } from './scripted-driver.ts'

describe('publishing, on scripted answers', () => {
  const answering = (answer: (message: Message, index: number) => PublishResult | Promise<PublishResult>): Broker => {
    const driver = new ScriptedDriver()
    driver.publish = (_queue, messages) => Promise.all(messages.map(async (message, index) => answer(message, index)))
    return new Broker(driver)
  }
  const failureOf = async (work: Promise<unknown>): Promise<JobportError> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).to.be.instanceOf(JobportError)
    return error as JobportError
  }

  it('tells added from duplicate, and takes its own uid for its own earlier write', async () => {
    const queue = (answer: (message: Message) => PublishResult) => answering(answer).queue('q')
    expect(await queue(() => ({ status: 'added' })).add('a', 1, { id: 'x' })).to.include({ id: 'x', added: true })
    expect(await queue(() => ({ status: 'duplicate', uid: 'other' })).add('a', 1, { id: 'x' })).to.deep.equal({
      id: 'x',
      added: false,
      uid: 'other',
    })
    expect(await queue(({ uid }) => ({ status: 'duplicate', uid })).add('a', 1, { id: 'x' })).to.include({ id: 'x', added: true })
  })

  it('tells rejected from unknown', async () => {
    const error = new JobportError('REJECTED', 'out of memory')
    expect(
      await failureOf(
        answering(() => ({ status: 'rejected', error }))
          .queue('q')
          .add('a', 1),
      ),
    ).to.have.property('code', 'REJECTED')
    expect(
      await failureOf(
        answering(() => ({ status: 'unknown', error }))
          .queue('q')
          .add('a', 1, { id: 'x' }),
      ),
    ).to.include({ code: 'UNCONFIRMED', id: 'x' })
  })

  it('ends by the deadline, unconfirmed, when the driver never answers', async () => {
    const error = await failureOf(
      answering(() => new Promise(() => {}))
        .queue('q')
        .add('a', 1, { id: 'x', deadline: 20 }),
    )
    expect(error).to.include({ code: 'UNCONFIRMED', id: 'x' })
  })

  it('takes no result of a driver for what it is not', async () => {
    for (const results of [undefined, [], [undefined], [{ status: 'maybe' }], [{ status: 'rejected' }]]) {
      const driver = new ScriptedDriver()
      driver.publish = async () => results as PublishResult[]
      expect(await failureOf(new Broker(driver).queue('q').add('a', 1))).to.have.property('code', 'UNCONFIRMED')
      driver.publish = () => Promise.reject(results)
      expect(await failureOf(new Broker(driver).queue('q').add('a', 1))).to.have.property('code', 'UNCONFIRMED')
    }
  })

  it('lets the defaults stand for an option that is undefined, and keeps them', async () => {
    const seen: Message[] = []
    const broker = answering((message) => {
      seen.push(message)
      return { status: 'added' }
    })
    const defaults = { attempts: 3, headers: { a: '1' } }
    const queue = broker.queue('q', { defaults })
    defaults.attempts = 9
    defaults.headers.a = '2'
    await queue.add('a', 1, { attempts: undefined } as never)
    expect(seen[0]).to.deep.include({ attempts: 3, headers: { a: '1' } })
  })

  it('gives one receipt per job of addMany, or says which were not added', async () => {
    const broker = answering((_message, i) =>
      i === 1 ? { status: 'rejected', error: new JobportError('REJECTED', 'no') } : { status: 'added' },
    )
    const jobs = [1, 2, 3].map((data) => ({ name: 'a', data }))
    const error = await failureOf(broker.queue('q').addMany(jobs))
    expect(error.code).to.equal('PARTLY_ADDED')
    expect(error.receipts!.map((receipt) => receipt?.added)).to.deep.equal([true, undefined, true])
    expect([...error.failures!.keys()]).to.deep.equal([1])
    expect(
      await answering(() => ({ status: 'added' }))
        .queue('q')
        .addMany(jobs),
    ).to.have.length(3)
  })

  it('refuses what the driver lacks and what is too large before any I/O', async () => {
    const driver = new ScriptedDriver({ delay: false })
    driver.publish = () => expect.fail('published')
    const queue = new Broker(driver).queue('q')
    for (const [options, feature] of [
      [{ delay: 5 }, 'delay'],
      [{ backoff: { type: 'fixed', delay: 5 } }, 'delay'],
      [{ priority: 1 }, 'priority'],
      [{ id: 'x', dedup: { ttl: 1_000 } }, 'dedup'],
    ] as const) {
      expect(await failureOf(queue.add('a', 1, options))).to.include({
        code: 'NOT_SUPPORTED',
        message: `scripted does not support '${feature}'`,
      })
    }
    expect(await failureOf(queue.add('a', 'é'.repeat(500)))).to.have.property('code', 'PAYLOAD_TOO_LARGE')
  })

  it('takes a payload of exactly the largest size', async () => {
    expect(
      await answering(() => ({ status: 'added' }))
        .queue('q')
        .add('a', 'é'.repeat(499)),
    ).to.include({ added: true })
  })

  it('refuses bad lookups, entries and options of addMany before any I/O', async () => {
    const driver = new ScriptedDriver()
    driver.connect = () => expect.fail('connected')
    const queue = new Broker(driver).queue('q')
    const bad: [work: () => Promise<unknown>, says: string][] = [
      [() => queue.get(42 as never), 'id'],
      [() => queue.remove(''), 'id'],
      [() => queue.deadLetters.get('a\0'), 'id'],
      [() => queue.deadLetters.remove('\ud800'), 'id'],
      [() => queue.deadLetters.redrive({} as never), 'id'],
      [() => queue.list('failed' as never), 'state'],
      [() => queue.list('waiting', { limit: 0 }), 'limit'],
      [() => queue.addMany({} as never), 'list'],
      [() => queue.addMany([null as never]), 'job 0: must be { name, data, options? }'],
      [
        () => queue.addMany([{ name: 'a', data: 1, opts: { delay: 5 } } as never]),
        "job 0: unknown option 'opts'; did you mean 'options'?",
      ],
      [() => queue.addMany([{ name: 'a', data: 1, options: null as never }]), 'job 0: options must be a plain object'],
      [() => queue.addMany([], { attempts: 3 } as never), "unknown option 'attempts'"],
    ]
    for (const [work, says] of bad) {
      const error = await failureOf(work())
      expect(error).to.have.property('code', 'INVALID_ARGUMENT')
      expect(error.message).to.include(says)
    }
  })

  describe('to a broker that is away', () => {
    const away: PublishResult = { status: 'rejected', error: new JobportError('UNAVAILABLE', 'away') }

    it('waits until it is back, in order', async () => {
      let isAway = true
      const arrived: string[] = []
      const broker = answering(({ id }) => {
        if (isAway) return away
        arrived.push(id)
        return { status: 'added' }
      })
      const queue = broker.queue('q')
      const ids = Array.from({ length: 40 }, (_, i) => `id-${i}`)
      const adds = Promise.all(ids.map((id) => queue.add('a', 1, { id })))
      const many = queue.addMany([{ name: 'a', data: 1, options: { id: 'last' } }])
      setTimeout(() => (isAway = false), 300)
      expect((await adds).every(({ added }) => added)).to.equal(true)
      expect(await many).to.have.length(1)
      expect(arrived).to.deep.equal([...ids, 'last'])
    })

    it('keeps the order, also from the start, of what comes while it waits, and of uneven refusals', async () => {
      const driver = new ScriptedDriver()
      const arrived: string[] = []
      let isDown = true
      driver.connect = async () => {
        if (isDown) throw new JobportError('UNAVAILABLE', 'nobody is there')
        return { server: 's', maxPayload: 1_000 }
      }
      driver.publish = async (_queue, messages) =>
        messages.map(({ id }) => {
          if (calls++ % 3 === 0) return away
          arrived.push(id)
          return { status: 'added' }
        })
      let calls = 0
      const queue = new Broker(driver).queue('q')
      const first = queue.add('a', 1, { id: 'first' })
      await sleep(50)
      isDown = false
      const second = queue.add('a', 1, { id: 'second' })
      await Promise.all([first, second])
      expect(arrived).to.deep.equal(['first', 'second'])
      const ids = Array.from({ length: 64 }, (_, i) => `id-${i}`)
      await Promise.all(ids.map((id) => queue.add('a', 1, { id })))
      expect(arrived.slice(2).toSorted()).to.deep.equal(ids.toSorted())
    })

    it('is tried less and less often', async () => {
      const driver = new ScriptedDriver()
      const tries: number[] = []
      driver.publish = async (_queue, messages) => {
        tries.push(performance.now())
        return messages.map(() => away)
      }
      const queue = new Broker(driver).queue('q')
      await Promise.all(Array.from({ length: 100 }, () => failureOf(queue.add('a', 1, { deadline: 2_500 }))))
      expect(tries.length).to.be.below(20)
    })

    it('goes on when the driver says that it is up', async () => {
      const driver = new ScriptedDriver()
      let tries = 0
      driver.publish = async () => (++tries === 1 ? [away] : [{ status: 'added' }])
      const broker = new Broker(driver)
      const added = broker.queue('q').add('a', 1)
      for (let i = 0; i < 10; i++) await turn()
      expect(tries).to.equal(1)
      driver.listener!.up()
      expect(await added).to.include({ added: true })
      expect(tries).to.equal(2)
    })

    it('rejects with UNAVAILABLE by the deadline, from the start too', async () => {
      expect(
        await failureOf(
          answering(() => away)
            .queue('q')
            .add('a', 1, { deadline: 300 }),
        ),
      ).to.include({ code: 'UNAVAILABLE' })
      const driver = new ScriptedDriver()
      driver.connect = () => Promise.reject(new JobportError('UNAVAILABLE', 'nobody is there'))
      const start = performance.now()
      const error = await failureOf(new Broker(driver).queue('q').add('a', 1, { deadline: 300 }))
      expect(error).to.have.property('code', 'UNAVAILABLE')
      expect(error.message).to.include('nobody is there')
      expect(performance.now() - start).to.be.within(295, 2_000)
    })

    it('rejects at once beyond 10,000 adds, and with CLOSED once the broker is closed', async () => {
      const broker = answering(() => away)
      const queue = broker.queue('q')
      const held = failureOf(queue.addMany(Array.from({ length: 10_000 }, () => ({ name: 'a', data: 1 }))))
      for (let i = 0; i < 10; i++) await turn()
      const start = performance.now()
      expect(await failureOf(queue.add('a', 1))).to.have.property('code', 'UNAVAILABLE')
      expect(performance.now() - start).to.be.below(5_000)
      await broker.close()
      const codes = new Set([...(await held).failures!.values()].map(({ code }) => code))
      expect([...codes]).to.deep.equal(['CLOSED'])
    })

    it('keeps the answers of the others of a batch', async () => {
      let calls = 0
      const queue = answering(({ id }) => (id === 'b' && ++calls < 3 ? away : { status: 'added' })).queue('q')
      const receipts = await queue.addMany(['a', 'b', 'c'].map((id) => ({ name: 'a', data: 1, options: { id } })))
      expect(receipts.map(({ id }) => id)).to.deep.equal(['a', 'b', 'c'])
      expect(calls).to.equal(3)
    })
  })
})
