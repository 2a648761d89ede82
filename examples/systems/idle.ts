import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue } from '@jobport/core'

const DEADLINE = 30_000

/** Resolves once no job waits, is delayed or runs in any of these queues. Name one that feeds another before it. */
export async function idle(...queues: Pick<Queue, 'counts'>[]): Promise<void> {
  const deadline = Date.now() + DEADLINE
  while (await busy(queues)) {
    if (Date.now() > deadline) throw new Error(`still busy after ${DEADLINE} ms`)
    await sleep(20)
  }
}

async function busy(queues: Pick<Queue, 'counts'>[]): Promise<boolean> {
  for (const queue of queues) {
    const { waiting, delayed, active } = await queue.counts()
    if (waiting + delayed + active > 0) return true
  }
  return false
}
