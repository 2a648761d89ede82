type Rewrite = readonly [RegExp, (found: string, args: string) => string]

/**
 * BullMQ on PostgreSQL lets jobs whose time has come stand where they stood when they were added. Its claims are made to have
 * {@link PROMOTE} place them first: by due time, and behind what waits already, as on Redis. What a claim finishes, it finishes before that.
 */
const CLAIMS: readonly Rewrite[] = [
  [/\bmove_to_active\(\s*\$1,/, () => 'move_to_active(jobport_promote($1, $4, NULL),'],
  [
    /\bmove_to_completed_fetch\(([^;]+), \$9, \$10, \$11, \$12, \$13\)/,
    (_, args) => `move_to_active(jobport_promote($1, $10, move_to_completed(${args})), $3, $9, $10, $11, $12, $13)`,
  ],
  [
    /\bmove_to_failed_fetch\(([^;]+), \$10, \$11, \$12, \$13, \$14\)/,
    (_, args) => `move_to_active(jobport_promote($1, $11, move_to_failed(${args})), $3, $10, $11, $12, $13, $14)`,
  ],
]

const rewritten = new Map<string, string>()

/** One of BullMQ's statements, or the one that takes its place. */
export function inOrder(text: string): string {
  let known = rewritten.get(text)
  if (known === undefined) {
    known = CLAIMS.reduce((sql, [pattern, by]) => sql.replace(pattern, by), text)
    // there are few, and they are constants
    rewritten.set(text, known)
  }
  return known
}

/**
 * Returns the queue, so that it can stand where a claim names it: arguments come before the call. A job that is taken last in,
 * first out keeps its place. A row that somebody holds is waited for, as the claim itself waits: left out here, it would be promoted
 * by the claim, to where it stood.
 */
export const PROMOTE: string = `
CREATE OR REPLACE FUNCTION jobport_promote(p_queue text, p_now bigint, p_after bigint) RETURNS text
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
  v_id text;
BEGIN
  FOR v_id IN
    WITH due AS (
      SELECT id FROM job WHERE queue = p_queue AND state = 'delayed' AND process_at_ms <= p_now
      ORDER BY process_at_ms, seq FOR UPDATE
    ), placed AS (
      SELECT id, nextval('job_seq') AS place FROM due
    ), promoted AS (
      UPDATE job j SET state = 'waiting', delay_ms = 0, seq = CASE WHEN j.seq < 0 THEN j.seq ELSE placed.place END
      FROM placed WHERE j.queue = p_queue AND j.id = placed.id RETURNING j.id, placed.place
    )
    SELECT id FROM promoted ORDER BY place
  LOOP
    PERFORM publish_event(p_queue, 'waiting', jsonb_build_object('jobId', v_id, 'prev', 'delayed'));
  END LOOP;
  RETURN p_queue;
END;
$$`
