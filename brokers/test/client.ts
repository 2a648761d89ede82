import { jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import { Client as Connection } from 'pg'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { ChannelModel } from 'amqplib'
import type { BrokerName, RunningBroker } from '@jobport/brokers'

/** What any client of any broker can do here. Each call has a connection of its own. */
export interface Client {
  write(value: string): Promise<void>
  /** Gives up after `deadline`, ms. */
  read(deadline?: number): Promise<string | undefined>
  /** A setting of the server, by its own name. */
  setting(name: string): Promise<string | undefined>
}

const DEADLINE = 30_000

const CLIENTS: Record<BrokerName, (url: string) => Client> = {
  redis: redisClient,
  postgres: postgresClient,
  rabbitmq: rabbitmqClient,
  nats: natsClient,
}

export function clientOf({ name, url }: Pick<RunningBroker, 'name' | 'url'>): Client {
  return CLIENTS[name](url)
}

function redisClient(url: string): Client {
  const use = async <Answer>(work: (redis: Redis) => Promise<Answer>, deadline = DEADLINE): Promise<Answer> => {
    const deadlines = { connectTimeout: deadline, commandTimeout: deadline }
    const redis = new Redis(url, { ...deadlines, lazyConnect: true, retryStrategy: () => null })
    redis.on('error', () => {})
    try {
      await redis.connect()
      return await work(redis)
    } finally {
      redis.disconnect()
    }
  }
  return {
    write: (value) => use(async (redis) => void (await redis.set('value', value))),
    read: (deadline) => use(async (redis) => (await redis.get('value')) ?? undefined, deadline),
    setting: (name) => use(async (redis) => (await redis.config('GET', name))[1]),
  }
}

function postgresClient(connectionString: string): Client {
  const use = async (text: string, values: string[] = [], deadline = DEADLINE): Promise<string | undefined> => {
    const deadlines = { connectionTimeoutMillis: deadline, query_timeout: deadline }
    const client = new Connection({ ...deadlines, connectionString })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ value: string }>(text, values)
      return rows[0]?.value
    } finally {
      await client.end()
    }
  }
  return {
    async write(value) {
      await use('CREATE TABLE IF NOT EXISTS stored (value text)')
      await use('INSERT INTO stored VALUES ($1)', [value])
    },
    read: (deadline) => use('SELECT value FROM stored', [], deadline),
    setting: (name) => use('SELECT current_setting($1) AS value', [name]),
  }
}

function rabbitmqClient(url: string): Client {
  const queue = 'stored'
  const use = async <Answer>(work: (connection: ChannelModel) => Promise<Answer>, deadline = DEADLINE): Promise<Answer> => {
    const connection = await connect(url, { timeout: deadline })
    connection.on('error', () => {})
    try {
      return await work(connection)
    } finally {
      await connection.close()
    }
  }
  return {
    write: (value) =>
      use(async (connection) => {
        const channel = await connection.createConfirmChannel()
        await channel.assertQueue(queue)
        channel.sendToQueue(queue, Buffer.from(value), { persistent: true })
        await channel.waitForConfirms()
      }),
    read: (deadline) =>
      use(async (connection) => {
        const channel = await connection.createChannel()
        await channel.assertQueue(queue)
        const message = await channel.get(queue)
        if (!message) return undefined
        channel.nack(message)
        return message.content.toString()
      }, deadline),
    setting: (name) =>
      use(async ({ connection }) => {
        const agreed = connection as unknown as { readonly channelMax: number }
        return name === 'channel_max' ? String(agreed.channelMax) : undefined
      }),
  }
}

function natsClient(servers: string): Client {
  const stream = 'stored'
  const use = async <Answer>(
    work: (connection: NatsConnection, streams: JetStreamManager['streams']) => Promise<Answer>,
    timeout = DEADLINE,
  ) => {
    const connection = await connectNats({ servers, timeout, reconnect: false })
    try {
      const { streams } = await jetstreamManager(connection, { timeout, checkAPI: false })
      return await work(connection, streams)
    } finally {
      await connection.close()
    }
  }
  return {
    write: (value) =>
      use(async (connection, streams) => {
        await streams.add({ name: stream, subjects: [stream] })
        await connection.request(stream, value, { timeout: DEADLINE })
      }),
    read: (deadline) =>
      use(async (_, streams) => {
        await streams.add({ name: stream, subjects: [stream] })
        return (await streams.getMessage(stream, { last_by_subj: stream }))?.string()
      }, deadline),
    setting: (name) => use(async ({ info }) => (name === 'max_payload' ? String(info?.max_payload) : undefined)),
  }
}
