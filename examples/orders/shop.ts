import { setTimeout as sleep } from 'node:timers/promises'
import { UnrecoverableError, type Handlers, type JobOf, type Queue } from '@jobport/core'
import { cancelId, invoiceOf, type OrderJobs } from './jobs.ts'
import type { Ledger } from './ledger.ts'

type PayJob = JobOf<OrderJobs, 'pay'>

const VAT: Readonly<Record<string, number>> = { AT: 0.2, CH: 0.081, DE: 0.19, FR: 0.2, IT: 0.22, NL: 0.21 }

/** 1.0 has a bug in its invoices. */
export type Version = '1.0' | '1.1'

/** The shop's side of every job. The gateway, the mail server and the books are played by short waits. */
export class Shop {
  readonly #queue: Queue<OrderJobs>
  readonly #ledger: Ledger
  /** Every order ends in one of these, never in both. */
  readonly paid = new Set<string>()
  readonly cancelled = new Set<string>()

  constructor(queue: Queue<OrderJobs>, ledger: Ledger) {
    this.#queue = queue
    this.#ledger = ledger
  }

  handlers(version: Version): Handlers<OrderJobs> {
    return {
      pay: (job, signal) => this.#pay(job, signal),
      confirm: (_job, signal) => sleep(20, undefined, { signal }),
      'auto-cancel': ({ data }) => this.#cancel(data.orderId),
      invoice: ({ data }, signal) => invoice(data, version, signal),
    }
  }

  /** What is wrong with its orders, in words. */
  mistakes(orders: number): string[] {
    const { size: paid } = this.paid
    const { size: cancelled } = this.cancelled
    return orders === paid + cancelled ? [] : [`${orders} orders ≠ ${paid} paid + ${cancelled} cancelled`]
  }

  async #pay({ data, attempt }: PayJob, signal: AbortSignal): Promise<void> {
    await charge(data.card, attempt, signal)
    if (this.cancelled.has(data.orderId)) throw new UnrecoverableError('the order was cancelled meanwhile: money given back')
    this.paid.add(data.orderId)
    const id = cancelId(data.orderId)
    if (await this.#queue.remove(id)) this.#ledger.removed(id, 'auto-cancel')
    const next = invoiceOf(data)
    if (next) this.#ledger.added(next.name, await this.#queue.add(next.name, next.data, next.options))
  }

  #cancel(orderId: string): void {
    if (!this.paid.has(orderId)) this.cancelled.add(orderId)
  }
}

/** Knows two cards that behave badly, as payment gateways do for those who test against them. */
async function charge(card: string, attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(60, undefined, { signal })
  if (card === '0002') throw new UnrecoverableError('card declined')
  if (card === '0119' && attempt < 3) throw new Error('the gateway did not answer')
}

async function invoice(
  { country, amount }: OrderJobs['invoice'],
  version: Version,
  signal: AbortSignal,
): Promise<{ net: number }> {
  await sleep(20, undefined, { signal })
  return { net: amount / (1 + vatOf(country, version)) }
}

/** Version 1.0 looks it up in lower case, and never finds it. */
function vatOf(country: string, version: Version): number {
  const rate = VAT[version === '1.0' ? country.toLowerCase() : country]
  if (rate === undefined) throw new Error(`no VAT rate for '${country}'`)
  return rate
}
