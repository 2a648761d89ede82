import { JobportError } from '@jobport/core/driver'
import {
  assertSchemaCompatibility,
  LATEST_SCHEMA_VERSION,
  quoteSchemaName,
  runMigrations,
  SchemaMigrationRequiredError,
  SchemaVersionMismatchError,
} from 'bullmq'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { PROMOTE } from './postgres-order.ts'
import type { ClientBase, QueryResult, QueryResultRow } from 'pg'

const NEEDED = 13
/** BullMQ has no index for the dead letters of an id. */
const INDEX = 'jobport_dead_idx'
const SCHEMA_LOCK = 0x4a4f4250
/** For how long a notification may be under way while the server is fine; ms. */
const NOTICE = 2_000
const PROMPT = 500

interface Version {
  readonly number: string
  readonly version: string
}

/** Product and version: `postgresql 17.2`. Refuses, with `SERVER_UNSUITABLE`, one that is too old. */
async function inspectServer(client: ClientBase, channel: string): Promise<string> {
  const answers = (await client.query(
    `LISTEN ${channel}; SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version`,
  )) as unknown as readonly [unknown, QueryResult<Version & QueryResultRow>]
  const { number = '0', version = 'of unknown version' } = answers[1].rows[0] ?? {}
  const server = `postgresql ${version.split(' ')[0]}`
  if (Number(number) < NEEDED * 10_000)
    throw new JobportError('SERVER_UNSUITABLE', `${server}: PostgreSQL ${NEEDED} or newer is needed`)
  return server
}

/**
 * What the server is. Refuses, with `SERVER_UNSUITABLE`, one that is too old, and a proxy that gives each transaction another session:
 * nothing that is set stays, and no notification arrives, so that jobs would start late or not at all. Readies the schema.
 * `other` is a second connection; far servers are not asked one thing after the other.
 */
export async function admitServer(client: ClientBase, other: Promise<ClientBase>, schema: string): Promise<string> {
  const channel = `jobport_${randomBytes(8).toString('hex')}`
  const over = new AbortController()
  const told = once(client, 'notification', { signal: over.signal })
  told.catch(() => {})
  try {
    const server = await inspectServer(client, channel)
    const second = await other
    // the first one keeps still: a session that it shares would tell it when it asks
    const proof = prove(server, second, channel, told)
    await Promise.all([proof, prepareSchema(second, schema, proof)])
    return server
  } finally {
    over.abort()
    client.query(`UNLISTEN ${channel}`).catch(() => {})
  }
}

async function prove(server: string, teller: ClientBase, channel: string, told: Promise<unknown>): Promise<void> {
  await teller.query(`SELECT pg_notify('${channel}', '')`)
  const ended = new AbortController()
  const late = pause(NOTICE, true, { signal: ended.signal, ref: false })
  late.catch(() => {})
  try {
    if ((await Promise.race([told, late])) !== true) return
  } finally {
    ended.abort()
  }
  const before = performance.now()
  await teller.query('SELECT 1')
  if (performance.now() - before > PROMPT) throw new JobportError('UNAVAILABLE', `${server}: it answers too slowly`)
  throw new JobportError(
    'SERVER_UNSUITABLE',
    `${server}: notifications do not arrive; a pooler in transaction mode, such as PgBouncer, passes none on and keeps no session: connect to the server itself, or set pool_mode = session`,
  )
}

/** Creates BullMQ's tables, or brings them up to date. Many processes may do so at once; where all is there, nothing is written. */
async function prepareSchema(client: ClientBase, schema: string, proof: Promise<void>): Promise<void> {
  try {
    const version = await assertSchemaCompatibility(client, schema, { skipVersionCheck: true }).catch(missing)
    await proof
    if (version < LATEST_SCHEMA_VERSION) await runMigrations(client, schema, { skipVersionCheck: true })
  } catch (error) {
    if (!(error instanceof SchemaVersionMismatchError)) throw error
    throw new JobportError('SERVER_UNSUITABLE', `schema ${schema}: ${error.message}`, { cause: error })
  }
  await addOwn(client, schema)
}

function missing(error: unknown): number {
  const { code } = error as { code?: unknown }
  if (error instanceof SchemaMigrationRequiredError || code === '3F000') return 0
  throw error
}

async function addOwn(client: ClientBase, schema: string): Promise<void> {
  const name = quoteSchemaName(schema)
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AND to_regprocedure($2) IS NOT NULL AS done', [
    `${name}.${INDEX}`,
    `${name}.jobport_promote(text, bigint, bigint)`,
  ])
  if ((rows[0] as { done: boolean }).done) return
  await client.query('BEGIN')
  try {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [SCHEMA_LOCK, schema])
    await client.query(
      `CREATE INDEX IF NOT EXISTS ${INDEX} ON ${name}.job (queue, dedup_id, finished_at_ms) WHERE state = 'failed'`,
    )
    await client.query(PROMOTE)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}
