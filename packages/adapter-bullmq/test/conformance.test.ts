import { randomUUID } from 'node:crypto'
import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-bullmq'
import { Redis } from 'ioredis'

const redis = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const url = `${redis}?lockDuration=1500&stalledInterval=500`
const module = new URL(import.meta.resolve('@jobport/adapter-bullmq'))
certify({
  name: 'bullmq on redis',
  createDriver: (given = url) => createDriver(given),
  remote: { url, module },
  corrupt,
  openBroker: () => openBroker('redis', { own: true, settings: { appendfsync: 'always' } }),
})

/** A waiting job whose data is torn JSON. BullMQ itself would never write it. */
async function corrupt(queue: string): Promise<void> {
  const client = new Redis(redis)
  const [base, uid] = [`bull:${queue}:`, randomUUID()]
  await client.hset(base + uid, { name: 'torn', data: '{"half":', opts: '{}', timestamp: Date.now() })
  await client.lpush(`${base}wait`, uid)
  await client.zadd(`${base}marker`, 0, '0')
  await client.quit()
}
