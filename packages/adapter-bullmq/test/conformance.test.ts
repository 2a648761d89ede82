import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-bullmq'

const url = `${process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'}?lockDuration=1500&stalledInterval=500`
const module = new URL(import.meta.resolve('@jobport/adapter-bullmq'))
certify({ name: 'bullmq on redis', createDriver: (given = url) => createDriver(given), remote: { url, module } })
