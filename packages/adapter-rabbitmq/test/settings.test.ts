import { expect } from 'chai'
import { readSettings } from '../src/settings.ts'
import { namesOf } from '../src/names.ts'

describe('RabbitMQ settings', () => {
  it('reads a URL with user, password, virtual host and options', () => {
    const settings = readSettings('amqps://us%40er:p%2Fw@rabbit.test:5673/a%2Fb?ledger=all&heartbeat=5000&prefix=mine')
    expect(settings).to.deep.include({
      username: 'us@er',
      password: 'p/w',
      vhost: 'a/b',
      ledger: 'all',
      heartbeat: 5,
      prefix: 'mine',
      tls: {},
    })
    expect(settings.hosts).to.deep.equal([{ host: 'rabbit.test', port: 5673 }])
  })

  it('reads a URL with several hosts, separated by commas', () => {
    const settings = readSettings('amqps://me:a,b@one:5673,two,[::1]:5674/jobs?ledger=all')
    expect(settings).to.deep.include({ username: 'me', password: 'a,b', vhost: 'jobs', ledger: 'all', tls: {} })
    expect(settings.hosts).to.deep.equal([
      { host: 'one', port: 5673 },
      { host: 'two', port: 5671 },
      { host: '::1', port: 5674 },
    ])
  })

  it('refuses whatever of a URL it would ignore or cannot read', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['amqp://a?vhost=b', /query 'vhost' is unknown/],
      ['amqp://a?channelMax=5', /query 'channelMax' is unknown/],
      ['amqp://a?ledger=all&ledger=given', /query 'ledger' stands twice/],
      ['amqp://a?heartbeat=', /heartbeat must be/],
      ['amqp://a?heartbeat=soon', /heartbeat must be/],
      ['amqp://a#b', /fragment/],
      ['amqp://a,,b', /a host is missing/],
      ['amqp://,b', /a host is missing/],
      ['amqp://a:x,b', /well-formed/],
      ['amqp://a,b:99999', /well-formed/],
      ['amqp://a,b?vhost=c', /query 'vhost' is unknown/],
      ['amqp://a:0', /port must be/],
    ]
    for (const [url, told] of wrong) {
      expect(() => readSettings(url), url)
        .to.throw(told)
        .with.property('code', 'INVALID_CONFIG')
    }
  })

  it('defaults to the guest of a broker on this machine, and the ports of the protocol', () => {
    expect(readSettings('amqp://localhost')).to.deep.include({
      username: 'guest',
      password: 'guest',
      vhost: '/',
      ledger: 'given',
      queueType: 'quorum',
    })
    expect(readSettings({ hosts: [{ host: 'a' }, { host: 'b', port: 1 }], tls: true }).hosts).to.deep.equal([
      { port: 5671, host: 'a' },
      { port: 1, host: 'b' },
    ])
  })

  it('takes a client certificate for the user', () => {
    expect(readSettings({ host: 'a', tls: { cert: 'x' } }).external).to.equal(true)
    expect(readSettings({ host: 'a', username: 'me', tls: { cert: 'x' } }).external).to.equal(false)
  })

  it('tells all mistakes at once, and no credential', () => {
    const wrong = {
      url: 'http://me:secret@host',
      host: 'x',
      ledger: 'some',
      queueType: 'stream',
      heartbeat: 1_500,
      prefet: 1,
      replicas: 0,
    }
    expect(() => readSettings(wrong as never))
      .to.throw()
      .that.includes({ code: 'INVALID_CONFIG' })
      .and.has.property('message')
      .that.satisfies((message: string) => {
        const told = [
          'exclude each other',
          'amqp://',
          'ledger must be',
          'queueType must be',
          'heartbeat must be',
          'prefet is unknown',
          'replicas must be',
        ]
        return told.every((part) => message.includes(part)) && !message.includes('secret')
      })
  })

  it('names queues injectively', () => {
    const names = ['a', 'a.failed', 'a-failed', 'A'].flatMap((queue) => {
      const { delays, ...own } = namesOf('jobport', queue, 'queue')
      return [
        ...Object.values(own),
        delays.out,
        delays.parking,
        delays.watched,
        delays.exchange(0),
        delays.queue(0, 1),
        `address ${delays.address}`,
      ]
    })
    expect(new Set(names).size).to.equal(names.length)
    const longest = namesOf('p'.repeat(40), 'q'.repeat(100), 'queue')
    expect(longest.delays.registry.length).to.be.below(256)
  })
})
