import { JobportError } from '@jobport/core/driver'
import {
  assertSchemaCompatibility,
  LATEST_SCHEMA_VERSION,
  quoteSchemaName,
  runMigrations,
  SchemaMigrationRequiredError,
  SchemaVersionMismatchError,
} from 'bullmq'
import type { ClientBase } from 'pg'

const NEEDED = 13
/** BullMQ has no index for the dead letters of an id. */
const INDEX = 'jobport_dead_idx'
const INDEX_LOCK = 0x4a4f4250

/** Product and version: `postgresql 17.2`. Refuses, with `SERVER_UNSUITABLE`, one that is too old. */
export async function inspectServer(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ number: string; version: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version`,
  )
  const { number = '0', version = 'of unknown version' } = rows[0] ?? {}
  const server = `postgresql ${version.split(' ')[0]}`
  if (Number(number) < NEEDED * 10_000)
    throw new JobportError('SERVER_UNSUITABLE', `${server}: PostgreSQL ${NEEDED} or newer is needed`)
  return server
}

/** Creates BullMQ's tables, or brings them up to date. Many processes may do so at once; where all is there, nothing is written. */
export async function prepareSchema(client: ClientBase, schema: string): Promise<void> {
  try {
    const version = await assertSchemaCompatibility(client, schema, { skipVersionCheck: true }).catch(missing)
    if (version < LATEST_SCHEMA_VERSION) await runMigrations(client, schema, { skipVersionCheck: true })
  } catch (error) {
    if (!(error instanceof SchemaVersionMismatchError)) throw error
    throw new JobportError('SERVER_UNSUITABLE', `schema ${schema}: ${error.message}`, { cause: error })
  }
  await indexDeadLetters(client, schema)
}

function missing(error: unknown): number {
  const { code } = error as { code?: unknown }
  if (error instanceof SchemaMigrationRequiredError || code === '3F000') return 0
  throw error
}

async function indexDeadLetters(client: ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query('SELECT to_regclass($1) AS index', [`${quoteSchemaName(schema)}.${INDEX}`])
  if ((rows[0] as { index: string | null }).index !== null) return
  await client.query('BEGIN')
  try {
    await client.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [INDEX_LOCK, schema])
    await client.query(
      `CREATE INDEX IF NOT EXISTS ${INDEX} ON ${quoteSchemaName(schema)}.job (queue, dedup_id, finished_at_ms) WHERE state = 'failed'`,
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}
