import { Client, type PoolConfig } from 'pg'
import type { BullMQOptions } from './options.ts'

type Check = (value: string) => string | undefined

const anything: Check = () => undefined
const oneOf =
  (...values: string[]): Check =>
  (value) =>
    values.includes(value) ? undefined : `must be ${values.join(', ')}`
const ms: Check = (value) => (/^\d{1,10}$/.test(value) ? undefined : 'must be a whole number of ms')

/** What the `pg` client reads from a connection string, or we in its place. */
const KNOWN: Readonly<Record<string, Check>> = {
  sslmode: (value) =>
    value === 'allow'
      ? "'allow' is not known to pg: use no-verify, or verify-full"
      : oneOf('disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify')(value),
  uselibpqcompat: oneOf('true', 'false'),
  ssl: oneOf('true', '1', 'false', '0', 'no-verify'),
  sslnegotiation: oneOf('postgres', 'direct'),
  sslrootcert: anything,
  sslcert: anything,
  sslkey: anything,
  channel_binding: (value) =>
    value === 'require'
      ? "'require' cannot be enforced by pg: use prefer, with sslmode=verify-full"
      : oneOf('disable', 'prefer')(value),
  application_name: anything,
  fallback_application_name: anything,
  client_encoding: (value) => (/^utf-?8$/i.test(value) ? undefined : 'must be UTF8'),
  connect_timeout: (value) => (/^([1-9]|[1-5]\d|60)$/.test(value) ? undefined : 'must be 1 to 60, seconds'),
  statement_timeout: ms,
  lock_timeout: ms,
  idle_in_transaction_session_timeout: ms,
  options: anything,
  host: anything,
  port: (value) => (/^\d{1,5}$/.test(value) ? undefined : 'must be a port'),
}

/** What libpq or other clients read there, and what to do instead. */
const FOREIGN: Readonly<Record<string, string>> = {
  dbname: 'name the database in the path',
  database: 'name the database in the path',
  user: 'put it before the @',
  password: 'put it before the @',
  query_timeout: 'Jobport bounds its queries by itself',
  target_session_attrs: 'pg does not look for a server of a kind: name the primary, or an address that follows it',
  load_balance_hosts: 'pg connects to one server',
  hostaddr: 'name the address as the host',
  passfile: 'pg reads PGPASSFILE from the environment',
  sslpassword: "use the option 'tls': { passphrase }",
  sslcrl: "use the option 'tls': { crl }",
  ssl_min_protocol_version: "use the option 'tls': { minVersion }",
  ssl_max_protocol_version: "use the option 'tls': { maxVersion }",
  sslsni: "use the option 'tls': { servername }",
  pgbouncer: 'a pooler must be in session mode, and then needs no mention',
  keepalives: 'Jobport keeps its connections alive by itself',
  keepalives_idle: 'Jobport keeps its connections alive by itself',
}

/** Whether pg takes `key` from a URL. Adds to `mistakes` what it cannot take. */
export function isPgParameter(key: string, value: string, mistakes: string[]): boolean {
  const check = Object.hasOwn(KNOWN, key) ? KNOWN[key] : undefined
  const hint = Object.hasOwn(FOREIGN, key) ? FOREIGN[key] : undefined
  const mistake = check?.(value) ?? hint
  if (mistake) mistakes.push(`url: ${check ? `${key} ${mistake}` : `${key} is not read: ${mistake}`}`)
  return check !== undefined || hint !== undefined
}

/** Throws what pg says of it. */
export function postgresPool(
  { host, port, username, password, tls, postgres: { database } = {} }: BullMQOptions,
  given: URL | undefined,
): PoolConfig {
  const url = given && new URL(given)
  if (url && username) url.username = encodeURIComponent(username)
  if (url && password) url.password = encodeURIComponent(password)
  if (url && database) url.pathname = `/${encodeURIComponent(database)}`
  const timeout = take(url, 'connect_timeout')
  const binding = take(url, 'channel_binding')
  take(url, 'client_encoding')
  if (url?.searchParams.get('ssl') === 'false') url.searchParams.set('ssl', '0')
  const config: PoolConfig = {
    ...(url && { connectionString: url.href }),
    ...(host && { host }),
    ...(port && { port }),
    ...(!url && username && { user: username }),
    ...(!url && password && { password }),
    ...(!url && database && { database }),
    ...(tls && { ssl: tls }),
    ...(binding === 'prefer' && { enableChannelBinding: true }),
    ...(timeout && { connectionTimeoutMillis: Number(timeout) * 1_000 }),
  }
  // reads the certificates that are named, and says what it cannot take
  void new Client(config)
  return config
}

/** What would be passed over: pg takes the URL's word. */
export function tlsMistakes({ tls }: BullMQOptions, url: URL | undefined): string[] {
  if (tls === undefined || !url) return []
  const both = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey'].filter((key) => url.searchParams.has(key))
  return both.length > 0 ? [`tls and the URL's ${both.join(' and ')} exclude each other`] : []
}

function take(url: URL | undefined, key: string): string | undefined {
  const value = url?.searchParams.get(key) ?? undefined
  url?.searchParams.delete(key)
  return value
}
