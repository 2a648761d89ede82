import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-bullmq'
import { LEASE } from './lease.ts'

const url = `${process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/jobport'}?lockDuration=${LEASE}&stalledInterval=500`
const module = new URL(import.meta.resolve('@jobport/adapter-bullmq'))
certify({
  name: 'bullmq on postgresql',
  createDriver: (given = url) => createDriver(given),
  remote: { url, module },
  openBroker: () => openBroker('postgres', { own: true }),
})
