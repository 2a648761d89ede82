import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { claimOf } from './lease.ts'
import { toWire, type Origin, type Travel } from './mapping.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { AnswerTo, Claim } from './ledger/entries.ts'
import type { Post } from './post.ts'

/** Brings jobs to their queue and into its ledger. */
export interface Recording {
  readonly post: Post
  readonly ledger: LedgerApi
}

const ADDED: PublishResult = { status: 'added' }

/** The message first, then the claim: a producer that is killed between them leaves no id taken without a job. Never rejects. */
export async function record(
  { post, ledger }: Recording,
  queue: string,
  message: Message,
  { signal, from }: { readonly signal?: AbortSignal; readonly from?: Origin },
): Promise<PublishResult | 'missing'> {
  const travel = { ...firstTravel(ledger), ...(from && { from }) }
  const wire = toWire(message, travel)
  const since = Date.now()
  const sent = await post.send(queue, wire, message.delay ?? 0, signal)
  return sent.status === 'added' ? claim(ledger, claimOf({ message, copy: wire.copy, travel }, since), signal) : sent
}

/** The same for several new ones without a delay. Never rejects. */
export async function recordAll(
  { post, ledger }: Recording,
  queue: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const travel = firstTravel(ledger)
  const wires = messages.map((message) => toWire(message, travel))
  const sent = await post.sendAll(queue, wires, signal)
  return Promise.all(
    messages.map((message, i) => {
      const stored = sent[i]!
      if (stored.status !== 'added') return Promise.resolve(stored)
      return claim(ledger, claimOf({ message, copy: wires[i]!.copy, travel }), signal).then(unlessMissing)
    }),
  )
}

/** Never rejects. */
function claim(ledger: LedgerApi, its: Omit<Claim, 'type'>, signal: AbortSignal | undefined): Promise<PublishResult | 'missing'> {
  return ledger.append({ type: 'claim', ...its }, signal ? { signal } : {}).then(claimed, uncertain)
}

function claimed(answer: AnswerTo<Claim>): PublishResult | 'missing' {
  if (answer.status === 'missing') return 'missing'
  return answer.status === 'duplicate' ? { status: 'duplicate', uid: answer.uid } : ADDED
}

function uncertain(error: JobportError): PublishResult {
  return { status: 'unknown', error }
}

/** A redrive alone can be refused so. */
export function unlessMissing(result: PublishResult | 'missing'): PublishResult {
  return result === 'missing' ? { status: 'rejected', error: new JobportError('REJECTED', 'the ledger refused it') } : result
}

/** Of the first message of a job that the ledger is to know. */
function firstTravel({ epoch, seen }: LedgerApi): Travel {
  return { attempt: 1, crashes: 0, ledger: { epoch, seen, first: true } }
}
