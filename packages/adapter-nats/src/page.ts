import { createInbox, NoRespondersError, TimeoutError, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { Refusal } from './faults.ts'
import { recordOf, type StoredRecord } from './stored-record.ts'

/** Oldest first, and how many more there are. */
export interface Page {
  readonly records: readonly StoredRecord[]
  readonly left: number
}

interface Query {
  readonly seq: number
  readonly next_by_subj: string
  /** Records at most; fewer, if they are large. */
  readonly batch: number
}

/** Longest wait for the next record, ms. */
const SILENCE = 2_000
/** A server ends the connection of a client that is sent more than it reads. */
const MOST_BYTES = 8 * 1_048_576
const [ENDED, NOTHING, UNHEARD] = [204, 404, 503]

/** A page of a stream's records, out of any copy of it. The client's own never ends if its connection does meanwhile. */
export function readPage(connection: NatsConnection, stream: string, query: Query): Promise<Page> {
  const subject = `$JS.API.DIRECT.GET.${stream}`
  const { promise, resolve, reject } = Promise.withResolvers<Page>()
  const inbox = createInbox()
  const records: StoredRecord[] = []
  let left = 0
  let heard = 0
  let timer: NodeJS.Timeout
  const wait = (): void => {
    const before = heard
    // what lies in the socket is read before the next turn
    timer = setTimeout(() => setImmediate(() => heard === before && end(() => reject(new TimeoutError()))), SILENCE)
  }
  const told = (message: Msg): void => {
    heard++
    clearTimeout(timer)
    const { headers, data } = message
    const code = headers?.code ?? 0
    if (code === ENDED || code === NOTHING) return end(() => resolve({ records, left }))
    if (code === UNHEARD && data.length === 0) return end(() => reject(new NoRespondersError(subject)))
    if (code > 0) return end(() => reject(new Refusal({ code, description: headers!.description })))
    records.push(recordOf(message))
    left = Number(headers?.get('Nats-Num-Pending') ?? 0)
    wait()
  }
  const answers = connection.subscribe(inbox, {
    callback: (error, message) => (error ? end(() => reject(error)) : told(message)),
  })
  function end(settle: () => void): void {
    heard++
    clearTimeout(timer)
    answers.unsubscribe()
    settle()
  }
  wait()
  connection.publish(subject, JSON.stringify({ ...query, max_bytes: MOST_BYTES }), { reply: inbox })
  return promise
}
