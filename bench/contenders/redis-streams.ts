import { Redis } from 'ioredis'
import type { Contender, Payload } from '../contender.ts'

const GROUP = 'g'
const CONSUMER = String(process.pid)
/** ms */
const WAIT = 500

type Entries = [stream: string, messages: [id: string, fields: string[]][]][] | null

/** A stream with a consumer group: at least once, and nothing else of a job queue. */
export function redisStreams(url: string): Contender {
  return {
    title: 'ioredis streams',
    isPeer: true,
    abilities: new Set(['many', 'shared', 'kept']),
    async open(name) {
      const redis = new Redis(url)
      await redis.xgroup('CREATE', name, GROUP, '0', 'MKSTREAM').catch((error: Error) => {
        if (!error.message.startsWith('BUSYGROUP')) throw error
      })
      return {
        add: (payload) => redis.xadd(name, '*', 'd', JSON.stringify(payload)),
        async addMany(payloads) {
          const pipeline = redis.pipeline()
          for (const payload of payloads) pipeline.xadd(name, '*', 'd', JSON.stringify(payload))
          await pipeline.exec()
        },
        async work(concurrency, handle, done) {
          const reader = redis.duplicate()
          const stopping = new AbortController()
          const run = async (id: string, text: string): Promise<void> => {
            await handle(JSON.parse(text) as Payload)
            await redis.multi().xack(name, GROUP, id).xdel(name, id).exec()
            done()
          }
          const loop = (async (): Promise<void> => {
            while (!stopping.signal.aborted) {
              const entries = (await reader.xreadgroup(
                'GROUP',
                GROUP,
                CONSUMER,
                'COUNT',
                concurrency,
                'BLOCK',
                WAIT,
                'STREAMS',
                name,
                '>',
              )) as Entries
              await Promise.all((entries?.[0]?.[1] ?? []).map(([id, [, text]]) => run(id, text!)))
            }
          })()
          return async () => {
            stopping.abort()
            await loop
            reader.disconnect()
          }
        },
        async drop() {
          await redis.del(name)
          redis.disconnect()
        },
      }
    },
  }
}
