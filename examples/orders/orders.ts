import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Order {
  readonly id: string
  readonly placedAt: string
  /** Businesses have a VAT number, and get an invoice. */
  readonly customer: { readonly name: string; readonly email: string; readonly country: string; readonly vatId?: string }
  /** Its last four digits. */
  readonly card: string
  readonly items: readonly { readonly sku: string; readonly title: string; readonly quantity: number; readonly price: number }[]
  readonly total: number
}

/** One order a line, as the shop exported them. Some stand there twice. */
export async function readOrders(): Promise<Order[]> {
  const file = createReadStream(new URL('orders.ndjson', import.meta.url))
  const orders: Order[] = []
  for await (const line of createInterface(file)) orders.push(JSON.parse(line) as Order)
  return orders
}
