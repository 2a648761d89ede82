import { expect } from 'chai'
import { readSettings } from '../src/settings.ts'

describe('NATS settings', () => {
  it('refuse a URL that could be read in two ways, or not at all', () => {
    const urls = [
      'nats://a:4222,u:p@b:4222',
      'nats://a,nats://b',
      'nats://a,,b',
      'nats://a:0',
      'nats://a:70000',
      'nats://a:x',
      'nats://a b',
      'nats://a?ackWait=500&ackWait=600',
      'nats://a?ackwait=500',
      'nats://a?tls=true',
      'nats://a/b',
      'nats://a#b',
      'nats://',
    ]
    for (const url of urls) {
      expect(() => readSettings(url), url)
        .to.throw()
        .with.property('code', 'INVALID_CONFIG')
    }
    expect(readSettings('nats+tls://u:p%2C@[::1]:4222,b').servers).to.deep.equal(['[::1]:4222', 'b'])
  })

  it('name all mistakes at once', () => {
    const options = {
      prefix: 'a.b',
      replicas: 2,
      ackWait: 1,
      keep: 5,
      password: 'x',
      token: 't',
      nkey: 'n',
      servers: 'u:p@h',
      nonsense: 1,
    }
    expect(() => readSettings(options))
      .to.throw(
        /prefix must.*replicas must.*ackWait must.*keep must.*servers must.*nonsense is unknown.*exclude each other.*password needs 'user'/,
      )
      .with.property('code', 'INVALID_CONFIG')
    expect(readSettings('nats://one:1,two:2/?prefix=p&ackWait=500&replicas=3')).to.deep.equal({
      ...{ servers: ['one:1', 'two:2'], prefix: 'p', replicas: 3, ackWait: 500, keep: 60_000 },
    })
  })
})
