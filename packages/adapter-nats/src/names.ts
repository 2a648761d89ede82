import { createHash } from 'node:crypto'

/** What follows in a subject must leave room in the server's control line of 4 KiB. */
const LONGEST = 700

/**
 * One token of a subject for any text, and never the same one for two: `A–Z a–z 0–9 _ -` stand for themselves, each
 * other byte of UTF-8 as `=XX`. So no id is a wildcard or a separator. What no job of ours has, a text too long, is hashed.
 */
export function toToken(text: string): string {
  const token = text.replaceAll(/[^A-Za-z0-9_-]/gu, (character) => [...Buffer.from(character)].map(escaped).join(''))
  return token.length <= LONGEST && token !== '' ? token : `=H${createHash('sha256').update(text).digest('hex')}`
}

/** The text whose token it is; `undefined` if it is none of ours. */
export function fromToken(token: string): string | undefined {
  try {
    const text = decodeURIComponent(token.replaceAll('%', '=25').replaceAll('=', '%'))
    return toToken(text) === token ? text : undefined
  } catch {
    return undefined
  }
}

function escaped(byte: number): string {
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** Of one subject of a queue's stream. */
export interface Place {
  readonly state: string
  /** Of waiting and delayed ones the priority, of others 0. */
  readonly detail: string
  /** Of its id. */
  readonly token: string
}

/**
 * What one queue is called on the server: a stream, and in it `<prefix>.<queue>.<state>.<detail>.<id>.<uid>`, where states are
 * w waiting or active, d delayed, c completed, f dead (failed), x removed. Whatever an id has become lies under
 * {@link Names.any}, and its newest record says what that is. What the server must search for each job, it goes through from
 * the left: so nothing of which there are many comes before the id.
 */
export class Names {
  readonly queue: string
  readonly stream: string
  /** Of core messages between clients; they lie outside of the stream. */
  readonly workers: string
  readonly #base: string

  constructor(prefix: string, queue: string) {
    // the grammar of queues has no =
    const token = queue.replaceAll('.', '=')
    this.queue = queue
    this.stream = `${prefix}-${token}`
    this.workers = `${prefix}-workers.${token}`
    this.#base = `${prefix}.${token}`
  }

  get all(): string {
    return this.#of('*', '*', '*')
  }

  waiting(level: number | '*', token = '*', uid?: string): string {
    return this.#of('w', level, token, uid)
  }

  delayed(level: number | '*', token = '*', uid?: string): string {
    return this.#of('d', level, token, uid)
  }

  completed(token: string, uid: string): string {
    return this.#of('c', 0, token, uid)
  }

  dead(token = '*', uid?: string): string {
    return this.#of('f', 0, token, uid)
  }

  removed(token: string, uid: string): string {
    return this.#of('x', 0, token, uid)
  }

  any(token: string): string {
    return this.#of('*', '*', token)
  }

  consumer(level: number): string {
    return `w${level}`
  }

  #of(state: string, detail: number | '*', token: string, uid?: string): string {
    return `${this.#base}.${state}.${detail}.${token}.${uid === undefined ? '*' : toToken(uid)}`
  }
}

export function placeOf(subject: string): Place {
  const [state = '', detail = '', token = ''] = subject.split('.').slice(-4)
  return { state, detail, token }
}
