import { expect } from 'chai'
import { Redis } from 'ioredis'
import { JobportError } from '@jobport/core'
import { readSettings } from '../src/settings.ts'
import type { BullMQOptions } from '../src/options.ts'

describe('BullMQ settings', () => {
  it('are complete without any', () => {
    expect(readSettings({})).to.deep.equal({
      target: { kind: 'redis', options: {} },
      prefix: 'bull',
      keep: { completed: { count: 1_000 }, dead: { count: -1 } },
      lockDuration: 10_000,
      stalledInterval: 5_000,
      maxPayload: 16 * 1_048_576,
    })
  })

  const targets: [string, string | BullMQOptions, unknown][] = [
    ['a URL', 'redis://h', { host: 'h' }],
    [
      'a port, a user, a password and a database',
      'redis://u%40x:p%3Aw@h:7000/3',
      { host: 'h', port: 7_000, username: 'u@x', password: 'p:w', db: 3 },
    ],
    ['a password alone', 'redis://:secret@h', { host: 'h', password: 'secret' }],
    ['IPv6', 'redis://[::1]:6380', { host: '::1', port: 6_380 }],
    ['TLS by the scheme', 'rediss://h', { host: 'h', tls: {} }],
    ['TLS by an option', { host: 'h', tls: true }, { host: 'h', tls: {} }],
    ['the CA of a URL', { url: 'rediss://h', tls: { ca: 'pem' } }, { host: 'h', tls: { ca: 'pem' } }],
    ['nothing but the scheme', 'redis://', { host: '127.0.0.1' }],
    [
      'options over the URL',
      { url: 'redis://u:old@h/1', password: 'new', db: 2 },
      { host: 'h', username: 'u', password: 'new', db: 2 },
    ],
    ['an empty password as none', { host: 'h', password: '' }, { host: 'h' }],
    [
      'Sentinel',
      { sentinels: [{ host: 's', port: 26_379 }], sentinelName: 'm', sentinelPassword: 'sp', password: 'p', db: 1 },
      { sentinels: [{ host: 's', port: 26_379 }], name: 'm', sentinelPassword: 'sp', password: 'p', db: 1 },
    ],
  ]
  for (const [what, config, options] of targets) {
    it(`read ${what}`, () => {
      expect(readSettings(config).target).to.deep.equal({ kind: 'redis', options })
    })
  }

  it('read a cluster, whose prefix holds a hash tag', () => {
    const cluster = [
      { host: 'a', port: 7_000 },
      { host: 'b', port: 7_001 },
    ]
    const settings = readSettings({ cluster, password: 'p', tls: true })
    expect(settings.target).to.deep.equal({ kind: 'cluster', nodes: cluster, options: { password: 'p', tls: {} } })
    expect(settings.prefix).to.equal('{bull}')
    expect(readSettings({ cluster, prefix: 'my:{q}' }).prefix).to.equal('my:{q}')
    for (const prefix of ['bull', '{}', '{bull', '}bull{', '{}{a}']) refused({ cluster, prefix }, /hash tag/)
  })

  it("read a client of the caller's", () => {
    const connection = new Redis({ lazyConnect: true })
    expect(readSettings({ connection, prefix: 'p' })).to.deep.include({
      target: { kind: 'given', client: connection },
      prefix: 'p',
    })
    refused({ connection: new Redis({ lazyConnect: true, keyPrefix: 'k:' }) }, /keyPrefix/)
    refused({ connection, host: 'h' }, /exclude each other/)
    refused({ connection, password: 'p' }, /password does not go with connection/)
  })

  it('read the query of a URL', () => {
    const settings = readSettings('redis://h?prefix=p&lockDuration=1500&stalledInterval=500&maxPayload=1000')
    expect(settings).to.deep.include({ prefix: 'p', lockDuration: 1_500, stalledInterval: 500, maxPayload: 1_000 })
    expect(readSettings({ url: 'redis://h?lockDuration=1500', lockDuration: 2_000 }).lockDuration, 'options win').to.equal(2_000)
  })

  it('read how long jobs are kept: age in ms, where BullMQ has s', () => {
    const { keep } = readSettings({ keep: { completed: { age: 1_500, count: 5 }, dead: { age: 86_400_000 } } })
    expect(keep).to.deep.equal({ completed: { age: 1.5, count: 5 }, dead: { age: 86_400 } })
    expect(readSettings({ keep: { completed: {} } }).keep.completed, 'all').to.deep.equal({ count: -1 })
    expect(readSettings({ keep: { dead: { count: 0 } } }).keep).to.deep.equal({ completed: { count: 1_000 }, dead: { count: 0 } })
  })

  const mistakes: [string | object, RegExp][] = [
    ['http://h', /url must begin/],
    ['redis:// bad url', /url must begin/],
    ['redis://h/name', /path is the database's number/],
    ['redis://h/1/2', /path is the database's number/],
    ['redis://h/%31', /path is the database's number/],
    ['redis://u:%ff@h', /percent/],
    ['redis://h?db=1', /query 'db' is unknown \(known: prefix, lockDuration/],
    ['redis://h?lockDuration=soon', /lockDuration must be a whole number/],
    ['redis://h?__proto__=1', /query '__proto__' is unknown/],
    [{ url: '' }, /url must be a text/],
    [{ url: 5 }, /url must be a text/],
    [{ host: '' }, /host must be a text/],
    [{ port: 70_000 }, /port must be a whole number from 1 to 65535/],
    [{ port: '6379' }, /port must be a whole number/],
    [{ db: -1 }, /db must be a whole number/],
    [{ tls: 'yes' }, /tls must be true, false or options/],
    [{ connection: {} }, /connection must be a client of ioredis/],
    [{ connection: null }, /connection must be a client of ioredis/],
    [{ sentinels: [], sentinelName: 'm' }, /sentinels must be a list of \{ host, port \}/],
    [{ sentinels: [{ host: 'h', port: 1 }] }, /sentinels need 'sentinelName'/],
    [{ sentinelName: 'm' }, /need 'sentinels'/],
    [{ cluster: [{ host: 'h' }], prefix: '{b}' }, /cluster must be a list of \{ host, port \}/],
    [{ cluster: [{ host: 'h', port: 1 }], db: 1 }, /db must be 0/],
    [{ url: 'redis://h', host: 'h' }, /url and host exclude each other/],
    [{ cluster: [{ host: 'h', port: 1 }], port: 1 }, /port does not go with cluster/],
    [{ url: 'redis://h', sentinelPassword: 'p' }, /need 'sentinels'/],
    [{ prefix: '' }, /prefix must be visible ASCII/],
    [{ prefix: 'a b' }, /prefix must be visible ASCII/],
    [{ keep: { completed: 5 } }, /keep 'completed' must be an object \{ age, count \}/],
    [{ keep: { dead: { age: -1 } } }, /keep 'dead' 'age' must be a whole number/],
    [{ keep: { failed: {} } }, /keep 'failed' is unknown \(known: completed, dead\)/],
    [{ lockDuration: 99 }, /lockDuration must be a whole number from 100/],
    [{ maxPayload: 0 }, /maxPayload must be a whole number from 1/],
    [{ hots: 'h' }, /hots is unknown \(known: url, host/],
    [{ constructor: 1 }, /constructor is unknown/],
    [{ toString: 1 }, /toString is unknown/],
    [JSON.parse('{"__proto__": 1}') as object, /__proto__ is unknown/],
    [JSON.parse('{"keep": {"__proto__": {}}}') as object, /keep '__proto__' is unknown/],
  ]
  for (const [config, words] of mistakes) {
    it(`refuse ${JSON.stringify(config)}`, () => refused(config, words))
  }

  it('name all mistakes at once', () => {
    const message = refused(
      { url: 'redis://h?x=1', cluster: [], port: 0, tls: 5, keep: { completed: { count: 1.5 } }, unheard: 1 },
      /^bullmq: /,
    )
    for (const word of [
      'exclude each other',
      "query 'x'",
      'cluster must',
      'port must',
      'tls must',
      "'count' must",
      'unheard is unknown',
    ]) {
      expect(message).to.include(word)
    }
  })

  it('show no password in a refusal', () => {
    expect(refused('redis://u:canary@h/name', /path/)).not.to.include('canary')
    expect(refused({ password: 'canary', hots: 'h' }, /hots/)).not.to.include('canary')
    expect(refused('redis://u:can ary@h h', /url/)).not.to.include('ary')
  })
})

function refused(config: string | object, words: RegExp): string {
  let settings: unknown
  try {
    settings = readSettings(config)
  } catch (error) {
    expect(error).to.be.instanceOf(JobportError).and.to.include({ code: 'INVALID_CONFIG' })
    const { message } = error as JobportError
    expect(message).to.match(words)
    return message
  }
  throw new Error(`accepted as ${JSON.stringify(settings)}`)
}
