import type { JobError } from '@jobport/core/driver'
import { expect } from 'chai'
import type { Hand } from './hand.ts'

/** What core lets through, at its largest: a quote is two bytes of JSON, and three of a subject. */
const ID = '"'.repeat(200)
const NAME = '"'.repeat(100)
export const ERROR: JobError = { name: '"'.repeat(128), message: '"'.repeat(2_048), stack: '"'.repeat(8_192) }
const HEADERS = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`header-${i}`, '"'.repeat(4_096 - 8)]))

/** One job of the largest size through all that can become of it. */
export async function largest(hand: Hand, queue: string): Promise<void> {
  const admin = hand.driver.admin(queue)
  const { maxPayload } = await hand.driver.connect({ down: () => {}, up: () => {}, error: () => {} })
  const data = 'x'.repeat(maxPayload - 2)
  const job = { id: ID, name: NAME, data, headers: HEADERS, attempts: 999_999, backoff: { type: 'fixed', delay: 1 } as const }
  await hand.consume(1)
  for (const fields of [{}, { delay: 1 }, { priority: 9 }]) {
    expect(await hand.publish({ ...job, ...fields })).to.deep.equal({ status: 'added' })
    const steps = [
      { type: 'again', delay: 1, attempt: 999_998, error: ERROR },
      { type: 'again', delay: 0, attempt: 999_999, error: ERROR },
      { type: 'release' },
      { type: 'dead', reason: 'unrecoverable', error: ERROR },
    ] as const
    for (const outcome of steps) await (await hand.take()).settle(outcome)
    const letter = (await admin.get(ID, 'dead'))!
    expect(letter.dead!.error).to.deep.equal(ERROR)
    expect(letter.message).to.deep.include({ name: NAME, data, headers: HEADERS })
    expect((await admin.list('dead', { limit: 10 })).jobs).to.have.length(1)
    expect(await admin.redrive(letter.message.uid, { uid: `${letter.message.uid}-2`, attempts: 1_000_000 })).to.equal('redriven')
    const again = await hand.take()
    expect(again.message.data).to.equal(data)
    await again.settle({ type: 'complete', result: data })
    expect(await admin.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
  }
}
