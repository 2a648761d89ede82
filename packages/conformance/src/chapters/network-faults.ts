import { expect, quiet, refusal, within } from '../assert.ts'
import { Load } from '../load.ts'
import type { Case } from '../case.ts'

/** From when the network works to when jobs flow again, ms. */
const RECOVERY = 15_000
/** How long a connection may be dead before its client knows, ms: twice the shortest heartbeat that adapters take by default. */
const DETECTION = 45_000
const REDELIVERY = 40_000
/** Each way, ms. */
const LATENCY = 250

/** The broker is well, the way to it is not. */
export const networkFaults: readonly Case[] = [
  {
    id: 'FLT-03',
    title: "the producers' connections are reset, then the workers': every add ends, no accepted job is lost",
    needs: 'durable',
    processes: true,
    wire: true,
    run: async (ctx) => {
      const { proxy, broker, harness } = ctx
      const here = await proxy()
      const there = await proxy()
      // a load asks for the clients of its workers first
      const ways = [there, there, here, here]
      const load = new Load(ctx, { client: () => broker({}, harness.createDriver(ways.shift()!.url)) })
      await load.start()
      here.proxy.reset()
      await load.flows(RECOVERY)
      there.proxy.reset()
      await load.flows(RECOVERY, 20)
      await load.drain(REDELIVERY)
    },
  },
  {
    id: 'FLT-04',
    title: 'a connection goes dead without a word: the worker behind it notices, and consumes again',
    needs: 'durable',
    processes: true,
    wire: true,
    slow: true,
    run: async (ctx) => {
      const { proxy: open, broker, harness, queue, work, completed, story } = ctx
      const { proxy, url } = await open()
      const away = broker({ deadline: 2_000 }, harness.createDriver(url))
      await work(() => 1, {}, { broker: away, queue: queue.name })
      await queue.add('a', 1, { id: 'before' })
      await completed(1)
      proxy.silence()
      await queue.add('a', 1, { id: 'after' })
      await completed(2, DETECTION)
      expect(story.ids('completed')).to.deep.equal(['before', 'after'])
    },
  },
  {
    id: 'FLT-05',
    title: 'half a second of latency: slower, and otherwise as ever',
    needs: 'durable',
    processes: true,
    wire: true,
    slow: true,
    run: async (ctx) => {
      const { proxy: open, broker, harness, queue, work, completed, story, exactly } = ctx
      const { proxy, url } = await open()
      proxy.slow(LATENCY)
      const far = broker({ deadline: 30_000 }, harness.createDriver(url))
      const ids = Array.from({ length: 20 }, (_, i) => `far-${i}`)
      const adding = Promise.all(ids.map((id) => far.queue(queue.name).add('a', 1, { id })))
      const receipts = await within(30_000, 'twenty adds', adding)
      expect(receipts.every(({ added }) => added)).to.equal(true)
      await work(() => 1, { concurrency: 10 }, { broker: far, queue: queue.name })
      await completed(20, 30_000)
      await quiet(1_000, 'another run', () => story.tally())
      exactly(ids, story.ids('active'), 'started')
    },
  },
  {
    id: 'FLT-12',
    title: 'the confirmation of an add is swallowed: it ends by its deadline, and repeating it makes no second job',
    needs: 'durable',
    processes: true,
    wire: true,
    run: async (ctx) => {
      const { proxy: open, broker, harness, queue, work, story, completed, exactly } = ctx
      const { proxy, url } = await open()
      const producer = broker({}, harness.createDriver(url)).queue(queue.name)
      await producer.add('a', 0, { id: 'first' })
      proxy.set({ at: 1, forward: true, spring: () => {} })
      const add = producer.add('a', 1, { id: 'x', dedup: { ttl: 60_000 }, deadline: 1_000 })
      await within(2_500, 'an add without an answer', refusal(add, 'UNCONFIRMED'))
      proxy.heal()
      await work(() => 1)
      await completed(1)
      await queue.add('a', 1, { id: 'x', dedup: { ttl: 60_000 } })
      await completed(2)
      await quiet(500, 'another run', () => story.tally())
      exactly(['first', 'x'], story.ids('active'), 'started')
    },
  },
]
