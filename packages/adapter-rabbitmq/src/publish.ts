import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { toWire } from './mapping.ts'
import type { Post } from './post.ts'

/** Sent at once, in order, before the first answer is waited for. */
const BATCH = 500

export async function publish(post: Post, queue: string, messages: readonly Message[], signal: AbortSignal): Promise<PublishResult[]> {
  const results: PublishResult[] = []
  for (let from = 0; from < messages.length; from += BATCH) {
    const batch = messages.slice(from, from + BATCH)
    results.push(...(signal.aborted ? batch.map(() => neverSent(signal)) : await Promise.all(batch.map((message) => add(post, queue, message, signal)))))
  }
  return results
}

/** Never rejects. */
async function add(post: Post, queue: string, message: Message, signal: AbortSignal): Promise<PublishResult> {
  const sent = await post.send(queue, toWire(message, { attempt: 1, crashes: 0 }), Date.now() + (message.delay ?? 0), signal)
  return sent.status === 'stored' ? { status: 'added' } : sent
}

function neverSent(signal: AbortSignal): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause: signal.reason }) }
}
