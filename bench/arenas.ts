import { createDriver as createBullMQ } from '@jobport/adapter-bullmq'
import { createDriver as createMemory } from '@jobport/adapter-memory'
import { createDriver as createNats } from '@jobport/adapter-nats'
import { createDriver as createRabbitMQ } from '@jobport/adapter-rabbitmq'
import { createPostgresBackend, type BackendFactory } from 'bullmq'
import type { Driver } from '@jobport/core'
import { Pool } from 'pg'
import { amqplib } from './contenders/amqplib.ts'
import { bullmq } from './contenders/bullmq.ts'
import { followed } from './contenders/followed.ts'
import { viaFastq, viaPQueue } from './contenders/in-process.ts'
import { jetstream } from './contenders/jetstream.ts'
import { jobport } from './contenders/jobport.ts'
import { moleculer } from './contenders/moleculer.ts'
import { pgBoss } from './contenders/pg-boss.ts'
import { rascal } from './contenders/rascal.ts'
import { redisStreams } from './contenders/redis-streams.ts'
import type { Contender } from './contender.ts'

export type Kind = keyof typeof CONTENDERS

/** Where it shows what RabbitMQ's ledger costs. */
const LEDGER: ReadonlySet<string> = new Set([
  'add-256',
  'work-100',
  'cycle',
  'processes-1',
  'processes-2',
  'processes-4',
  'processes-8',
])

/** Who meets at a broker. The first is ours, the second the raw client at the same durability. */
const CONTENDERS = {
  memory: ({ url }: Place) => [jobport(() => createMemory(url), { without: ['shared'] }), viaFastq, viaPQueue],
  redis: ({ url }: Place) => [
    jobport(() => createBullMQ(url)),
    bullmq(() => ({ connection: { url, maxRetriesPerRequest: null } })),
    redisStreams(url),
  ],
  postgres: ({ url }: Place) => [jobport(() => createBullMQ(url)), bullmq(() => onPostgres(url)), pgBoss(url)],
  rabbitmq: ({ url }: Place) => {
    const given = (): Contender =>
      jobport(() => createRabbitMQ(url), { title: 'Jobport, given ids', given: true, workloads: LEDGER })
    return [
      jobport(() => createRabbitMQ(url)),
      amqplib(url),
      given(),
      jobport(() => createRabbitMQ(`${url}?ledger=all`), { title: "Jobport, ledger: 'all'", workloads: LEDGER }),
      followed(given(), url, 10),
      followed(given(), url, 50),
      rascal(url),
    ]
  },
  nats: ({ url }: Place) => [
    jobport(() => createNats(url)),
    jetstream(url, 'fenced'),
    jetstream(url, 'acknowledged'),
    moleculer(url),
  ],
  module: async (place: Place) => [await strange(place)],
} satisfies Record<string, (place: Place) => readonly Contender[] | Promise<readonly Contender[]>>

/** How many of them take part in a quick run. */
export const QUICK = 4

export const TITLES: Record<Kind, string> = {
  memory: 'In memory',
  redis: 'Redis (BullMQ)',
  postgres: 'PostgreSQL (BullMQ)',
  rabbitmq: 'RabbitMQ',
  nats: 'NATS JetStream',
  module: 'The adapter of --module',
}

/** Those that the bench knows by itself. */
export const KINDS = (Object.keys(CONTENDERS) as Kind[]).filter((kind) => kind !== 'module')

/** Where a part of a run takes place. Without a URL: on a server of the bench's own. */
export interface Arena {
  readonly kind: Kind
  readonly url?: string
  /** Of the kind `module`: file URL of an adapter's module, which exports `createDriver(url)`. */
  readonly module?: string
}

export type Place = Arena & { readonly url: string }

const SCHEMES: Readonly<Record<string, Kind>> = {
  'redis:': 'redis',
  'rediss:': 'redis',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'amqp:': 'rabbitmq',
  'amqps:': 'rabbitmq',
  'nats:': 'nats',
}

/** Reads a kind, or the URL of a server that runs; `undefined`: it is neither. */
export function arenaOf(text: string): Arena | undefined {
  const own = KINDS.find((kind) => kind === text)
  if (own) return { kind: own }
  const kind = URL.canParse(text) ? SCHEMES[new URL(text).protocol] : undefined
  return kind && { kind, url: text }
}

export async function contendersAt(place: Place): Promise<readonly Contender[]> {
  return CONTENDERS[place.kind](place)
}

/** Jobport on an adapter that it does not know: with what that declares, beside nobody. */
async function strange(place: Place): Promise<Contender> {
  const createDriver = await makerOf(place)
  const driver = createDriver(place.url)
  await driver.close()
  const { delay, durable } = driver.features
  return jobport(() => createDriver(place.url), {
    without: [...(delay ? [] : (['delay'] as const)), ...(durable ? [] : (['shared'] as const))],
  })
}

async function makerOf({ kind, module }: Place): Promise<(url: string) => Driver> {
  if (kind !== 'module') return MAKERS[kind]
  const { createDriver } = (await import(module!)) as { readonly createDriver?: (url: string) => Driver }
  if (typeof createDriver !== 'function') throw new Error(`${module} exports no createDriver(url)`)
  return createDriver
}

/** BullMQ's own schema, which ours shares. */
function onPostgres(url: string): { connection: unknown; factory: BackendFactory; end: () => Promise<void> } {
  const pool = new Pool({ connectionString: url, max: 6, options: '-c search_path=bullmq' })
  pool.on('error', () => {})
  // each worker leaves one
  pool.setMaxListeners(Infinity)
  return { connection: pool, factory: createPostgresBackend as unknown as BackendFactory, end: () => pool.end() }
}

const MAKERS = {
  memory: createMemory,
  redis: createBullMQ,
  postgres: createBullMQ,
  rabbitmq: createRabbitMQ,
  nats: createNats,
} as const

/** Which server it is. */
export async function versionOf(place: Place): Promise<string> {
  const createDriver = await makerOf(place)
  const driver = createDriver(place.url)
  try {
    return (await driver.connect({ down() {}, up() {}, error() {} })).server
  } finally {
    await driver.close()
  }
}
