import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-bullmq'
import { LEASE } from './lease.ts'
import { corrupt } from './corrupt.ts'

const redis = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const url = `${redis}?lockDuration=${LEASE}&stalledInterval=500`
const module = new URL(import.meta.resolve('@jobport/adapter-bullmq'))
certify({
  name: 'bullmq on redis',
  createDriver: (given = url) => createDriver(given),
  remote: { url, module },
  corrupt: (queue) => corrupt(redis, queue),
  openBroker: () => openBroker('redis', { own: true, settings: { appendfsync: 'always' } }),
})
