import type { JobState, Scope } from '@jobport/core/driver'

/**
 * Statements on BullMQ's tables, whose names the connection's `search_path` finds. They rest on its data model: a row of
 * `job` per job, with its state and the token of who holds it; a row of `dedup` per deduplication id, which names its
 * holder. $1 is always the queue. Our note rests in the job's `opts`, beside the options that BullMQ knows.
 */

/** Whether the holder of `d`, a row of dedup, is in truth over: a window ends with a death, and else when it says so. */
const OVER = `(EXISTS (SELECT 1 FROM job h WHERE h.queue = d.queue AND h.id = d.job_id AND h.state = 'failed')
  OR (d.expire_at_ms IS NULL
    AND NOT EXISTS (SELECT 1 FROM job h WHERE h.queue = d.queue AND h.id = d.job_id AND h.state <> 'completed')))`
const RAW_COLUMNS = `SELECT id, name, data::text AS data, added_at_ms, failed_reason, finished_at_ms`
const LIVE = `('waiting', 'delayed', 'active')`
const HELD = `queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3`
/** Flows and schedulers. */
const RELATED = `(j.parent_id IS NOT NULL OR j.scheduler_id IS NOT NULL)`

/**
 * The job of an id that an earlier table of the statement gives. Planned apart: of a queue that was filled since the last
 * `ANALYZE` PostgreSQL expects one job, and reads all of it where it may.
 */
function byId(id: string): string {
  return `(SELECT * FROM job WHERE queue = $1 AND id = ${id} OFFSET 0)`
}

/** $2 id, $3 holder. */
export const FREE: string = `
WITH freed AS (DELETE FROM dedup d WHERE queue = $1 AND dedup_id = $2 AND job_id = $3 AND ${OVER} RETURNING 1)
SELECT EXISTS (SELECT 1 FROM freed) OR NOT EXISTS (SELECT 1 FROM dedup WHERE queue = $1 AND dedup_id = $2 AND job_id = $3) AS free`

/** $2 uid, $3 token, $4 note or null, $5 id or null, $6 end of its window, epoch ms. */
export const NOTE: string = `
WITH held AS (
  UPDATE job SET opts = CASE WHEN $4::jsonb IS NULL THEN opts ELSE jsonb_set(opts, '{note}', $4::jsonb) END WHERE ${HELD} RETURNING id
)
UPDATE dedup d SET expire_at_ms = $6::bigint FROM held WHERE d.queue = $1 AND d.dedup_id = $5 AND d.job_id = held.id`

/** Taken by BullMQ too, whenever it gives an id away. $2 id. */
export const LOCK_ID: string = `SELECT pg_advisory_xact_lock(hashtext('bullmq:dedup:' || $1::text || ':' || $2::text))`

/** After {@link LOCK_ID}. $2 uid, $3 token, $4 id or null, $5 now. */
export const RECALL: string = `
WITH held AS (SELECT id, opts->'note' AS note FROM job WHERE ${HELD} FOR UPDATE),
taken AS (
  INSERT INTO dedup AS d (queue, dedup_id, job_id) SELECT $1, $4::text, id FROM held WHERE $4::text IS NOT NULL
  ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = excluded.job_id, expire_at_ms = NULL
  WHERE d.job_id = excluded.job_id OR d.expire_at_ms <= $5::bigint OR ${OVER}
)
SELECT note FROM held`

/** $2 uids. */
export const LOOK: string = `
SELECT j.state, j.process_at_ms, j.opts->'note' AS note, j.attempts_started, j.attempts_made, j.stalled_count
FROM unnest($2::text[]) WITH ORDINALITY AS u(id, place) LEFT JOIN LATERAL ${byId('u.id')} j ON true ORDER BY u.place`

/** $2 token. */
export const SALVAGE: string = `${RAW_COLUMNS} FROM job WHERE queue = $1 AND state = 'active' AND lock_token = $2 LIMIT 1`

/** $2 uid. */
export const RAW: string = `${RAW_COLUMNS} FROM job WHERE queue = $1 AND id = $2`

/** The live job that holds an id, or that has it for its own. $2 id. */
export const FIND: string = `
SELECT j.id, j.state, ${RELATED} AS related
FROM (SELECT job_id AS id FROM dedup WHERE queue = $1 AND dedup_id = $2 UNION SELECT $2::text) k CROSS JOIN LATERAL ${byId('k.id')} j
WHERE j.state IN ${LIVE} AND COALESCE(j.dedup_id, j.id) = $2 LIMIT 1`

/** $2 id. */
export const DEAD: string = `
SELECT id FROM (
  (SELECT id, finished_at_ms FROM job WHERE queue = $1 AND dedup_id = $2 AND state = 'failed' ORDER BY finished_at_ms DESC LIMIT 1)
  UNION ALL (SELECT id, finished_at_ms FROM job WHERE queue = $1 AND id = $2 AND state = 'failed' AND dedup_id IS NULL)
) found ORDER BY finished_at_ms DESC LIMIT 1`

/** $2 now. */
export const COUNTS: string = `
SELECT count(*) FILTER (WHERE state = 'waiting' OR (state = 'delayed' AND process_at_ms <= $2::bigint)) AS waiting,
  count(*) FILTER (WHERE state = 'delayed' AND process_at_ms > $2::bigint) AS delayed,
  count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'failed') AS dead
FROM job WHERE queue = $1 AND state IN ('waiting', 'delayed', 'active', 'failed')`

/** Each page goes on after the row that the cursor, a pair of keys, describes. $2 limit, $3 and $4 its keys or null, $5 now. */
export const PAGES: Readonly<Record<Exclude<JobState, 'waiting'>, string>> = {
  delayed: page(`state = 'delayed' AND process_at_ms > $5::bigint`, 'process_at_ms', 'seq', 'bigint'),
  active: page(`state = 'active'`, 'added_at_ms', 'id', 'text'),
  dead: page(`state = 'failed'`, 'finished_at_ms', 'id', 'text', 'DESC'),
}

/**
 * What waits, and behind it what is to wait as soon as somebody looks: in one statement, for jobs move from the one to the other.
 * As {@link PAGES}; $6: whether the cursor stands among what is overdue.
 */
export const WAITING: string = `
SELECT id, first, second, late FROM (
  (SELECT id, priority::bigint AS first, seq AS second, false AS late FROM job
   WHERE queue = $1 AND state = 'waiting' AND NOT $6::boolean AND ($3::bigint IS NULL OR (priority, seq) > ($3::bigint, $4::bigint))
   ORDER BY priority, seq LIMIT $2)
  UNION ALL
  (SELECT id, process_at_ms, seq, true FROM job
   WHERE queue = $1 AND state = 'delayed' AND process_at_ms <= $5::bigint
   AND (NOT $6::boolean OR (process_at_ms, seq) > ($3::bigint, $4::bigint))
   ORDER BY process_at_ms, seq LIMIT $2)
) AS both_kinds ORDER BY late, first, second LIMIT $2`

function page(where: string, first: string, second: string, type: 'bigint' | 'text', order: 'ASC' | 'DESC' = 'ASC'): string {
  return `SELECT id, ${first} AS first, ${second} AS second FROM job WHERE queue = $1 AND ${where} AND $5::bigint > 0
AND ($3::bigint IS NULL OR (${first}, ${second}) ${order === 'ASC' ? '>' : '<'} ($3::bigint, $4::${type}))
ORDER BY ${first} ${order}, ${second} ${order} LIMIT $2`
}

/** What BullMQ tells its listeners of each row of `gone` that is no more. */
const TOLD = `publish_event($1, 'removed', jsonb_build_object('jobId', gone.id, 'prev', gone.prev))`
/** The ids of `gone` are free. */
const FREED = `DELETE FROM dedup d USING gone WHERE d.queue = $1 AND d.dedup_id = gone.dedup_id AND d.job_id = gone.id`

/** $2 uid, of a row that is locked, $3 its state. */
export const DROP: string = `
WITH gone AS (DELETE FROM job WHERE queue = $1 AND id = $2 RETURNING id, dedup_id, $3::text AS prev), freed AS (${FREED})
SELECT ${TOLD} FROM gone`

/** Locks a job, if it is in one of the states. $2 uid, $3 states. */
export const LOCK: string = `
SELECT j.id, j.dedup_id, j.state::text AS state, ${RELATED} AS related FROM job j WHERE j.queue = $1 AND j.id = $2 AND j.state::text = ANY ($3::text[]) FOR UPDATE`

/** $2 limit. */
export const PURGE: Readonly<Record<Scope, string>> = {
  live: purge(`j.state IN ('waiting', 'delayed')`),
  dead: purge(`j.state = 'failed'`),
}

function purge(where: string): string {
  return `WITH chosen AS (
  SELECT j.id, j.state::text AS prev FROM job j WHERE j.queue = $1 AND ${where} AND NOT ${RELATED} LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM job j USING chosen WHERE j.queue = $1 AND j.id = chosen.id RETURNING j.id, j.dedup_id, chosen.prev
), freed AS (${FREED}), told AS (SELECT ${TOLD} FROM gone)
SELECT (SELECT count(*)::int FROM told) AS removed,
  (SELECT count(*)::int FROM job j WHERE j.queue = $1 AND ${where} AND ${RELATED}) AS related`
}

/** Whether an id is taken. After {@link LOCK_ID}. $2 id, $3 now. */
export const TAKEN: string = `
SELECT EXISTS (SELECT 1 FROM dedup d WHERE queue = $1 AND dedup_id = $2 AND (expire_at_ms IS NULL OR expire_at_ms > $3::bigint) AND NOT ${OVER})
  OR EXISTS (${FIND}) AS taken`

/** After {@link LOCK} and {@link LOCK_ID}. $2 uid, $3 new uid, $4 id, $5 attempts or null. */
export const REDRIVE: string = `
WITH old AS (DELETE FROM job WHERE queue = $1 AND id = $2 RETURNING *),
fresh AS (
  INSERT INTO job (queue, id, seq, name, state, data, opts, priority, max_attempts, added_at_ms, dedup_id)
  SELECT queue, $3::text, nextval('job_seq'), name, 'waiting', data,
    '{"jobport": {"version": 1}}' || ((opts - 'note' - 'delay') #- '{jobport,dedup}') || jsonb_build_object('jobId', $3::text, 'deduplication', jsonb_build_object('id', $4::text))
      || CASE WHEN $5::int IS NULL THEN '{}' ELSE jsonb_build_object('attempts', $5::int) END,
    priority, COALESCE($5::int, max_attempts), added_at_ms, $4::text
  FROM old RETURNING id, name
), taken AS (
  INSERT INTO dedup (queue, dedup_id, job_id) SELECT $1, $4::text, id FROM fresh
  ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = excluded.job_id, expire_at_ms = NULL
)
SELECT pg_notify('bullmq_jobs', $1), publish_event($1, 'removed', jsonb_build_object('jobId', $2::text, 'prev', 'failed')), publish_event($1, 'added', jsonb_build_object('jobId', id, 'name', name)),
  publish_event($1, 'waiting', jsonb_build_object('jobId', id)) FROM fresh`

/** Exactly as it was. $2 uid, $3 token. */
export const RELEASE: string = `
WITH moved AS (UPDATE job SET state = 'waiting', lock_token = NULL, locked_until_ms = NULL WHERE ${HELD} RETURNING id)
SELECT pg_notify('bullmq_jobs', $1), publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'active')) FROM moved`

/** Transactions that write to the jobs now, or those of $1 that still do. */
export const CLAIMS: string = `
SELECT DISTINCT virtualtransaction AS id FROM pg_locks
WHERE relation = 'job'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid() AND ($1::text[] IS NULL OR virtualtransaction = ANY ($1::text[]))`

const TABLES = ['job', 'dedup', 'dedup_next', 'scheduler', 'rate_limit', 'event', 'metrics', 'meta']
export const SWEEP: readonly string[] = TABLES.map((table) => `DELETE FROM ${table} WHERE queue = $1`)
