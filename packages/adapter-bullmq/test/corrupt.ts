import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'

/** A waiting job whose data is torn JSON. BullMQ itself would never write it. */
export async function corrupt(url: string, queue: string): Promise<void> {
  const client = new Redis(url)
  const [base, uid] = [`bull:${queue}:`, randomUUID()]
  await client.hset(base + uid, { name: 'torn', data: '{"half":', opts: '{}', timestamp: Date.now() })
  await client.lpush(`${base}wait`, uid)
  await client.zadd(`${base}marker`, 0, '0')
  await client.quit()
}
