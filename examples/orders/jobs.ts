import type { NewJob } from '@jobport/core'
import type { Order } from './orders.ts'

/** Job name → payload. Everything that adds or handles these jobs is checked against it. */
export type OrderJobs = {
  pay: { orderId: string; card: string; amount: number; invoice?: { country: string; vatId: string } }
  confirm: { orderId: string; email: string; amount: number }
  'auto-cancel': { orderId: string }
  invoice: { orderId: string; amount: number; country: string; vatId: string }
}

/** An hour in a real shop. */
const CANCEL_AFTER = 5_000
const DAY = 86_400_000

/** What a new order sets going. The ids make it harmless to do so twice. */
export function jobsOf({ id: orderId, customer, card, total: amount }: Order): NewJob<OrderJobs>[] {
  const { email, country, vatId } = customer
  return [
    {
      name: 'auto-cancel',
      data: { orderId },
      options: { id: cancelId(orderId), delay: CANCEL_AFTER },
    },
    {
      name: 'confirm',
      data: { orderId, email, amount },
      // not a second mail today, even if the first has been sent
      options: { id: `confirm:${orderId}`, dedup: { ttl: DAY } },
    },
    {
      name: 'pay',
      data: { orderId, card, amount, ...(vatId && { invoice: { country, vatId } }) },
      // ahead of all that has the queue's default priority
      options: { id: `pay:${orderId}`, dedup: { ttl: DAY }, priority: 0 },
    },
  ]
}

export function invoiceOf({ orderId, amount, invoice }: OrderJobs['pay']): NewJob<OrderJobs> | undefined {
  return invoice && { name: 'invoice', data: { orderId, amount, ...invoice }, options: { id: `invoice:${orderId}` } }
}

export function cancelId(orderId: string): string {
  return `auto-cancel:${orderId}`
}
