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
    const broker = answering(() => expect.fail('published'))
    const queue = broker.queue('q')
    for (const [options, feature] of [
      [{ delay: 5 }, 'delay'],
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
})
