// Messages, credit scores and reports, behind an HTTP API through which their keeper looks in and steps in.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, type Handler, type JobOptions, type JobportError, type Queue } from '@jobport/core'
import { idle } from './idle.ts'

interface Policy extends JobOptions {
  readonly concurrency: number
  readonly handler: Handler
}

const backoff = { type: 'exponential', delay: 20 } as const
let networkIsUp = false

const POLICIES: Record<string, Policy> = {
  whatsapp: { concurrency: 5, attempts: 3, backoff, handler: sendMessage },
  'credit-score': { concurrency: 2, attempts: 3, backoff, handler: () => ({ score: 710 }) },
  reports: { concurrency: 1, attempts: 2, timeout: 300_000, handler: ({ name }) => `${name}.pdf` },
}

const ACTIONS: Record<string, (queue: Queue, id: string) => Promise<unknown>> = {
  'GET failed': async (queue) => {
    const { jobs } = await queue.deadLetters.list({ limit: 10 })
    return jobs.map(({ id, attempt, error }) => ({ id, attempt, error: error?.message }))
  },
  'POST retry': (queue, id) => queue.deadLetters.redrive(id),
  'POST pause': (queue) => queue.pause(),
  'POST resume': (queue) => queue.resume(),
  'POST clean': (queue) => queue.deadLetters.purge(),
}

const STATUS: Partial<Record<string, number>> = { NOT_FOUND: 404, DUPLICATE: 409, UNAVAILABLE: 503 }

const broker = await connect(process.argv[2] ?? 'memory://')
const queues = new Map(Object.entries(POLICIES).map(([key, policy]) => [key, open(key, policy)]))
const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
await once(server, 'listening')
await tour(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
for (const queue of queues.values()) await queue.drop()
server.close()
await broker.close()

function open(key: string, { concurrency, handler, ...defaults }: Policy): Queue {
  const queue = broker.queue(`${key}-${process.pid}`, { defaults })
  broker
    .worker(queue.name, handler, { concurrency })
    .on('completed', ({ name, id }, result) => log('info', { queue: key, name, id, result }))
    .on('failed', ({ name, id, attempt }, error, retryIn) =>
      log('warn', { queue: key, name, id, attempt, error: error.message, retryIn }),
    )
  return queue
}

function sendMessage({ name }: { name: string }): string {
  if (!networkIsUp) throw new Error('the network does not answer')
  return `${name} sent`
}

/** `GET /queues`, and `GET` or `POST /queues/<key>/<action>[/<job id>]`. */
async function answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, , key = '', action = '', id = ''] = url.split('/').map(decodeURIComponent)
  const queue = queues.get(key)
  const act = ACTIONS[`${method} ${action}`]
  try {
    if (key === '') return void response.end(JSON.stringify(await stats()))
    if (!queue || !act) return void response.writeHead(404).end()
    response.end(JSON.stringify((await act(queue, id)) ?? null))
  } catch (error) {
    const { code, message } = error as JobportError
    response.writeHead(STATUS[code] ?? 500).end(JSON.stringify({ code, message }))
  }
}

async function stats(): Promise<object> {
  const entries = [...queues].map(
    async ([key, queue]) => [key, { ...(await queue.counts()), paused: await queue.isPaused() }] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

/** A morning with the API: jobs are added, one dies, its keeper finds it, mends the cause, and tries again. */
async function tour(api: string): Promise<void> {
  const call = async (method: string, path: string): Promise<string> => {
    const response = await fetch(api + path, { method })
    return `${method} ${path}: ${response.status} ${await response.text()}`
  }
  const [whatsapp, scores, reports] = [...queues.values()] as [Queue, Queue, Queue]
  const message = { to: '+41 79 000 00 00', orderNumber: 'ORD-2026-001' }
  const id = 'order-confirmation-ORD-2026-001'
  for (let press = 1; press <= 2; press++) {
    const { added } = await whatsapp.add('ORDER_CONFIRMATION', message, { id })
    log('info', { press, added })
  }
  await scores.add('recalculate', { retailer: 17 }, { delay: 50 })
  await reports.add('CREDIT_SUMMARY', { from: '2026-01-01', to: '2026-01-31' })
  await idle(...queues.values())

  console.log(await call('GET', '/queues'))
  console.log(await call('GET', '/queues/whatsapp/failed'))
  networkIsUp = true
  console.log(await call('POST', `/queues/whatsapp/retry/${id}`))
  await idle(whatsapp)
  console.log(await call('POST', `/queues/whatsapp/retry/${id}`))
  console.log(await call('POST', '/queues/reports/pause'))
  console.log(await call('GET', '/queues'))
}

function log(level: string, fields: object): void {
  console.log(JSON.stringify({ level, ...fields }))
}
