/** Begins an `app_id` of ours; the envelope's version follows. */
const APP = 'jobport/'

/** What travels with one message of a job. */
export interface Mark {
  /** Names this physical message. */
  readonly copy: string
  /** The run that this message is for. */
  readonly attempt: number
  /** Crashes of runs whose messages are gone. */
  readonly crashes: number
  /** Of a job that the ledger knows; `seen`: how much of it had been read, `first`: no message of the job came before. */
  readonly ledger?: { readonly epoch: string; readonly seen: number; readonly first: boolean }
}

/**
 * `jobport/<version> <copy> <attempt> <crashes> <epoch> <seen> first`, as far as there is something to say. A property and
 * no headers: their table costs client and broker more than all the rest of a small message.
 */
export function appIdOf(version: number | string, mark?: Mark): string {
  if (!mark) return `${APP}${version}`
  const { copy, attempt, crashes, ledger } = mark
  const known = ledger ? ` ${ledger.epoch} ${ledger.seen}${ledger.first ? ' first' : ''}` : ''
  return `${APP}${version} ${copy} ${attempt} ${crashes}${known}`
}

/** Whether the message is ours, and not that of another client. */
export function isOurs(appId: unknown): appId is string {
  return typeof appId === 'string' && appId.startsWith(APP)
}

export function versionIn(appId: string): string {
  const end = appId.indexOf(' ')
  return appId.slice(APP.length, end < 0 ? undefined : end)
}

/** `undefined`: the first message of a job that only its queue knows, or one of another client. */
export function markIn(appId: unknown): Mark | undefined {
  if (!isOurs(appId)) return undefined
  const [, copy, attempt, crashes, epoch, seen, first] = appId.split(' ')
  if (copy === undefined) return undefined
  return {
    copy,
    attempt: Math.max(1, whole(attempt)),
    crashes: whole(crashes),
    ...(epoch !== undefined && { ledger: { epoch, seen: whole(seen), first: first === 'first' } }),
  }
}

function whole(text: string | undefined): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}
