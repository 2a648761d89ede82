import { expect } from 'chai'
import { JobportError } from '@jobport/core'
import { readSettings } from '../src/settings.ts'
import type { BullMQOptions } from '../src/options.ts'
import type { PostgresTarget } from '../src/target.ts'

const refusalOf = (config: string | BullMQOptions): JobportError => {
  try {
    readSettings(config)
  } catch (error) {
    expect(error).to.be.instanceOf(JobportError)
    expect(error).to.include({ code: 'INVALID_CONFIG' })
    return error as JobportError
  }
  throw new Error('it was accepted')
}

describe('BullMQ URLs', () => {
  it('list the nodes of a cluster, with one account for all', () => {
    const settings = readSettings('rediss://u:p%40@a:7000,[::1]:7001,b?lockDuration=1500')
    expect(settings.target).to.deep.equal({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 7_000 },
        { host: '::1', port: 7_001 },
        { host: 'b', port: 6_379 },
      ],
      options: { username: 'u', password: 'p@', tls: {} },
    })
    expect(settings).to.include({ prefix: '{bull}', lockDuration: 1_500 })
  })

  it('list sentinels, for a master by its name', () => {
    const sentinels = [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 26_380 },
    ]
    const expected = { kind: 'redis', options: { sentinels, name: 'm', password: 'p', db: 2 } }
    expect(readSettings('redis://:p@a,b:26380/2?sentinelName=m').target).to.deep.equal(expected)
    expect(readSettings({ url: 'redis://:p@a,b:26380/2', sentinelName: 'm' }).target).to.deep.equal(expected)
  })

  it('may hold commas where they are no list', () => {
    expect(readSettings('redis://:a,b@h').target).to.deep.equal({ kind: 'redis', options: { host: 'h', password: 'a,b' } })
  })

  const listMistakes: [string | BullMQOptions, RegExp][] = [
    ['redis://a:6379,b:6379/1', /db must be 0/],
    ['redis://a:6379,', /url must begin/],
    ['redis://a:6379,b:port', /url must begin/],
    ['redis://a:6379?sentinelName=m', /goes with a list of sentinels/],
    ['postgres://a:5432,b:5432/x', /pg connects to one server: name the primary/],
    ['postgres://a,b/x?target_session_attrs=primary', /target_session_attrs is not read.*pg connects to one server/],
  ]
  for (const [config, message] of listMistakes)
    it(`are refused: ${JSON.stringify(config)}`, () => expect(refusalOf(config).message).to.match(message))

  const poolOf = (config: string | BullMQOptions): PostgresTarget['pool'] => (readSettings(config).target as PostgresTarget).pool

  it('of PostgreSQL take what pg reads, and hand it on', () => {
    for (const query of [
      'sslmode=verify-full',
      'sslmode=disable',
      'uselibpqcompat=true&sslmode=require',
      'sslnegotiation=direct',
      'statement_timeout=5000',
      'options=-cgeqo%3Doff',
      'application_name=x',
      'ssl=no-verify',
    ])
      expect(poolOf(`postgres://h/x?${query}`).connectionString).to.equal(`postgres://h/x?${query}`)
  })

  it('of PostgreSQL take what we do in place of pg', () => {
    const pool = poolOf('postgres://h/x?connect_timeout=10&channel_binding=prefer&client_encoding=utf8&sslmode=verify-full')
    expect(pool).to.deep.equal({
      connectionString: 'postgres://h/x?sslmode=verify-full',
      connectionTimeoutMillis: 10_000,
      enableChannelBinding: true,
    })
    expect(poolOf('postgres://h/x?channel_binding=disable')).to.deep.equal({ connectionString: 'postgres://h/x' })
    expect(poolOf('postgres://h/x?ssl=false')).to.deep.equal({ connectionString: 'postgres://h/x?ssl=0' })
  })

  it('of PostgreSQL give way to options', () => {
    const pool = poolOf({
      url: 'postgres://u:old@h/x',
      username: 'a@b',
      password: 'p:/',
      postgres: { database: 'my db' },
      tls: { ca: 'pem' },
    })
    expect(pool).to.deep.equal({ connectionString: 'postgres://a%40b:p%3A%2F@h/my%20db', ssl: { ca: 'pem' } })
  })

  it('bound the connections of PostgreSQL', () => {
    expect((readSettings('postgres://h').target as PostgresTarget).maxConnections).to.equal(10)
    expect((readSettings('postgres://h?maxConnections=20').target as PostgresTarget).maxConnections).to.equal(20)
    expect(
      (readSettings({ url: 'postgres://h?maxConnections=20', maxConnections: 5 }).target as PostgresTarget).maxConnections,
    ).to.equal(5)
  })

  const mistakes: [string | BullMQOptions, RegExp][] = [
    ['postgres://h?maxConnections=4', /maxConnections must be a whole number from 5 to 1000/],
    [{ url: 'redis://h', maxConnections: 10 }, /maxConnections is for PostgreSQL only/],
    ['redis://h?maxConnections=10', /query 'maxConnections' is unknown/],
    ['postgres://h?channel_binding=require', /'require' cannot be enforced by pg: use prefer, with sslmode=verify-full/],
    ['postgres://h?channel_binding=yes', /channel_binding must be disable, prefer/],
    ['postgres://h?sslmode=allow', /'allow' is not known to pg/],
    ['postgres://h?sslmode=maybe', /sslmode must be disable/],
    ['postgres://h?uselibpqcompat=1', /uselibpqcompat must be true, false/],
    ['postgres://h?uselibpqcompat=true&sslmode=verify-ca', /requires specifying a CA/],
    ['postgres://h?sslrootcert=/none.pem', /ENOENT/],
    ['postgres://h?connect_timeout=0', /connect_timeout must be 1 to 60/],
    ['postgres://h?client_encoding=latin1', /client_encoding must be UTF8/],
    ['postgres://h?statement_timeout=5s', /statement_timeout must be a whole number of ms/],
    ['postgres://h?target_session_attrs=primary', /target_session_attrs is not read: pg does not look for a server of a kind/],
    ['postgres://h?pgbouncer=true', /pgbouncer is not read: a pooler must be in session mode/],
    ['postgres://h?dbname=x', /dbname is not read: name the database in the path/],
    ['postgres://h?sslpassword=p', /sslpassword is not read: use the option 'tls'/],
    ['postgres://h?query_timeout=1', /query_timeout is not read/],
    ['postgres://h?gssencmode=prefer', /query 'gssencmode' is unknown \(known: schema/],
    [{ url: 'postgres://h?sslmode=require', tls: true }, /tls and the URL's sslmode exclude each other/],
  ]
  for (const [config, message] of mistakes)
    it(`are refused: ${JSON.stringify(config)}`, () => expect(refusalOf(config).message).to.match(message))
})
