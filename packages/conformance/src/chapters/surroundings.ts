import { AsyncLocalStorage } from 'node:async_hooks'
import { JobportError } from '@jobport/core'
import { expect, refusal, until, within } from '../assert.ts'
import { pause } from '../wait.ts'
import type { Driver, DriverListener, PublishResult } from '@jobport/core/driver'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

/** Names that brokers, clients and proxies give a meaning of their own. */
const NAMES = [
  'jobport',
  'x-death',
  'x-delay',
  'x-match',
  'nats-msg-id',
  'nats-ttl',
  'nats-schedule',
  'expiration',
  'priority',
  'content-type',
  'content-encoding',
  'delivery-count',
  'x-delivery-count',
  'x-first-death-reason',
  'type',
  'app-id',
  'uid',
  'id',
  'name',
  'attempt',
  'attempts',
  'crashes',
  'delay',
  'opts',
  'proto',
  'constructor',
  'status',
  'description',
  '0',
  '-',
  'to-json',
]
/** All names and values together, bytes. */
const TOGETHER = 32 * 1_024
/** Of one value, bytes. */
const ONE = 4_096

/** What stands around a job: contexts, connections, headers, other processes. */
export const surroundings: readonly Case[] = [
  {
    id: 'LIFE-26',
    title: 'no job is told to be completed before its add has resolved: 100 of them, with a worker that waits for them',
    embedded: true,
    run: async ({ queue, work, story, completed }) => {
      const order: string[] = []
      const worker = await work(() => 1, { concurrency: 5 })
      worker.on('completed', ({ id }) => void order.push(`completed ${id}`))
      for (let i = 0; i < 50; i++) {
        const { id } = await queue.add('a', i)
        order.push(`added ${id}`)
      }
      await Promise.all(Array.from({ length: 50 }, (_, i) => queue.add('a', i).then(({ id }) => order.push(`added ${id}`))))
      await completed(100)
      const early = story.ids('completed').filter((id) => order.indexOf(`completed ${id}`) < order.indexOf(`added ${id}`))
      expect(early, 'completed before they were added').to.deep.equal([])
    },
  },
  {
    id: 'LIFE-28',
    title:
      'a handler runs in the asynchronous context in which its worker was made: at first, delayed, retried, of either worker',
    run: async ({ queue, another, work, completed, features }) => {
      const storage = new AsyncLocalStorage<string>()
      const seen: (string | undefined)[] = []
      const handler = async ({ attempt, name }: { readonly attempt: number; readonly name: string }): Promise<void> => {
        seen.push(storage.getStore())
        await pause(1)
        seen.push(storage.getStore())
        if (name === 'twice' && attempt === 1) throw new Error('again')
      }
      const other = another('other')
      await storage.run('first', () => work(handler))
      await storage.run('second', () => work(handler, {}, { queue: other.name }))
      const add = (name: string, options = {}): Promise<unknown> => storage.run('producer', () => queue.add(name, 1, options))
      await add('once')
      await add('twice', { attempts: 2, backoff: { type: 'fixed', delay: 20 } })
      if (features.delay) await add('once', { delay: 20 })
      await completed(features.delay ? 3 : 2)
      expect(new Set(seen)).to.deep.equal(new Set(['first']))
      seen.length = 0
      await storage.run('producer', () => other.add('once', 1))
      await completed(features.delay ? 4 : 3)
      expect(seen).to.deep.equal(['second', 'second'])
    },
  },
  {
    id: 'LIFE-29',
    title:
      'headers of any name arrive unchanged, up to 32 KiB together: at first, delayed, retried, dead and redriven; more is refused',
    run: async ({ queue, work, completed, died, features, another }) => {
      const odd = Object.fromEntries(NAMES.map((name, i) => [name, `${name} ${i} "ü" 汉`]))
      const kinds = { odd, full: filled(64), broad: filled(9) }
      const seen: unknown[] = []
      let broken = true
      await work((job) => {
        seen.push({ ...job.headers })
        if (broken) throw new Error('汉'.repeat(4_000))
      })
      for (const [i, [id, headers]] of Object.entries(kinds).entries()) {
        await queue.add('a', 1, { id, headers, attempts: 2, ...(features.delay && { delay: 20 }) })
        await died(i + 1)
        expect((await queue.deadLetters.get(id))!.headers, `${id}, dead`).to.deep.equal(headers)
      }
      broken = false
      for (const [i, id] of Object.keys(kinds).entries()) {
        await queue.deadLetters.redrive(id)
        await completed(i + 1)
      }
      const all = Object.values(kinds)
      expect(seen).to.deep.equal([...all.flatMap((headers) => [headers, headers]), ...all])
      const more = { ...filled(64), 'h-63': `${filled(64)['h-63']!}x` }
      for (const headers of [more, filled(65), { a: 'x'.repeat(ONE + 1) }, { a: '汉'.repeat(ONE / 3 + 1) }])
        await refusal(another('refusing').add('a', 1, { headers }), 'INVALID_ARGUMENT')
    },
  },
  {
    id: 'LIFE-30',
    title: 'add waits for a connection that is lost, until its deadline; then it is refused, and nothing was stored',
    run: async (ctx) => {
      const { queue, work, completed, exactly, story } = ctx
      const way = interruptible(ctx)
      const producer = ctx.broker({}, way.driver).queue(queue.name)
      await producer.add('a', 1, { id: 'before' })
      way.cut()
      const adds = ['one', 'two', 'three'].map((id) => producer.add('a', 1, { id, deadline: 10_000 }))
      const many = producer.addMany(
        Array.from({ length: 20 }, (_, i) => ({ name: 'a', data: i, options: { id: `many-${i}` } })),
        { deadline: 10_000 },
      )
      const late = producer.add('a', 1, { id: 'late', deadline: 400 })
      await within(2_000, 'an add whose deadline has come', refusal(late, ['UNAVAILABLE', 'TIMEOUT']))
      way.mend()
      const receipts = [
        ...(await within(10_000, 'adds that waited', Promise.all(adds))),
        ...(await within(10_000, 'addMany', many)),
      ]
      expect(receipts.every(({ added }) => added)).to.equal(true)
      await work(() => 1, { concurrency: 5 })
      await completed(24)
      exactly(['before', ...receipts.map(({ id }) => id)], story.ids('active'), 'started')
    },
  },
  {
    id: 'LIFE-31',
    title: 'status counts worker processes: several workers and clients of one process are one, each process more is one more',
    run: async (ctx) => {
      const { queue, work, broker, main, child, harness, features } = ctx
      const workers = async (): Promise<number> => (await main.health()).queues[queue.name]!.workers
      const counts = async (wanted: number): Promise<void> => {
        let seen = await workers()
        await until(
          async () => (seen = await workers()) === wanted,
          `${wanted} worker processes`,
          () => seen,
        )
      }
      await work(() => 1)
      await counts(1)
      for (let i = 0; i < 2; i++) await work(() => 1, {}, { broker: broker() })
      await work(() => 1)
      await pause(500)
      expect(await workers(), 'processes of four workers in one').to.equal(1)
      if (!harness.remote || !features.durable) return
      for (const count of [2, 3]) {
        await child({ role: 'worker' })
        await counts(count)
      }
    },
  },
]

/** As many headers, as large together as is allowed, the rest of it in the last. */
function filled(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, i) => `h-${i}`)
  const left = TOGETHER - names.reduce((sum, name) => sum + name.length, 0)
  const each = Math.min(ONE, Math.floor(left / count))
  const values = names.map((_, i) => 'x'.repeat(i === count - 1 ? Math.min(ONE, left - each * (count - 1)) : each))
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]))
}

/** A driver whose connection is lost and made again when the case says so. */
function interruptible({ harness }: Context): { driver: Driver; cut: () => void; mend: () => void } {
  const honest = harness.createDriver()
  let listener: DriverListener | undefined
  let isCut = false
  const gone = (): JobportError => new JobportError('UNAVAILABLE', 'the connection is lost')
  const driver: Driver = {
    contract: 1,
    name: honest.name,
    features: honest.features,
    connect: async (given) => {
      listener = given
      if (isCut) throw gone()
      return honest.connect(given)
    },
    publish: async (queue, messages, options) =>
      isCut
        ? messages.map((): PublishResult => ({ status: 'rejected', error: gone() }))
        : honest.publish(queue, messages, options),
    consume: (...given) => honest.consume(...given),
    admin: (queue) => honest.admin(queue),
    close: () => honest.close(),
  }
  return {
    driver,
    cut: () => {
      isCut = true
      listener?.down(gone())
    },
    mend: () => {
      isCut = false
      listener?.up()
    },
  }
}
