import type { Msg, MsgHdrs } from '@nats-io/transport-node'

/** One message in a queue's stream. */
export interface StoredRecord {
  readonly subject: string
  readonly seq: number
  /** Epoch ms at which it was stored. */
  readonly time: number
  readonly headers: MsgHdrs | undefined
  readonly data: Uint8Array
}

/** What a direct get brings. */
export function recordOf({ headers, data }: Msg): StoredRecord {
  return {
    subject: headers?.get('Nats-Subject') ?? '',
    seq: Number(headers?.get('Nats-Sequence')),
    time: Date.parse(headers?.get('Nats-Time-Stamp') ?? ''),
    headers,
    data,
  }
}
