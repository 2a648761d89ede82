import { expect, refusal, until, within } from '../assert.ts'
import { pause } from '../wait.ts'
import type { Delivery } from '@jobport/core/driver'
import type { Case } from '../case.ts'

/** Longer than a connected client needs to let its process go, if it would, ms. */
const IDLE = 1_500
/** Of a driver's close, and a machine that is busy, ms. */
const CLOSING = 6_000

/** What holds a process open, and what lets it go. */
export const disposal: readonly Case[] = [
  {
    id: 'SHU-15',
    title: 'brokers and workers are disposed of by await using: what runs finishes first',
    run: async ({ broker, queue, story, counted }) => {
      let ended = 0
      const own = broker()
      {
        await using worker = own.worker(queue.name, async () => {
          await new Promise((resolve) => setTimeout(resolve, 50))
          ended++
        })
        story.follow(worker)
        await queue.add('a', 1)
        await until(
          () => story.of('active').length === 1,
          'a start',
          () => story.tally(),
        )
      }
      expect(ended, 'runs that had ended when their worker was disposed of').to.equal(1)
      await counted({ waiting: 0, active: 0 })
      {
        await using other = broker()
        await other.connect()
        expect((await other.health()).ok).to.equal(true)
        await refusal(
          async () =>
            own
              .worker(queue.name, () => 1)
              .ready()
              .then(() => own.close())
              .then(() => own.connect()),
          'CLOSED',
        )
      }
    },
  },
  {
    id: 'SHU-16',
    title: 'a connected client keeps its process alive, idle or not, until it is closed',
    needs: 'durable',
    processes: true,
    run: async ({ child }) => {
      const idle = await child({ role: 'producer' })
      await pause(IDLE)
      expect(idle.running, `a process whose client is connected; it ended with ${String(idle.end)}`).to.equal(true)
      idle.close()
      await idle.ended()
      expect(idle.end).to.equal(0)
    },
  },
  {
    id: 'SHU-14',
    title: 'a settlement that is under way when its driver is closed has an end, also when the broker does not answer any more',
    needs: 'durable',
    processes: true,
    wire: true,
    run: async ({ harness, proxy: open, queue, work, counted }) => {
      const { proxy, url } = await open()
      await queue.add('a', 1, { id: 'x' })
      const driver = harness.createDriver(url)
      const deaf = { down: () => {}, up: () => {}, error: () => {} }
      await within(CLOSING, 'connecting', driver.connect(deaf))
      const delivered = Promise.withResolvers<Delivery>()
      await within(CLOSING, 'consuming', driver.consume(queue.name, delivered.resolve, { prefetch: 1 }))
      const delivery = await within(CLOSING, 'a delivery', delivered.promise)
      proxy.blackhole()
      const settled = delivery.settle({ type: 'complete', result: null }).then(
        () => 'confirmed',
        () => 'refused',
      )
      await within(CLOSING, 'closing', driver.close())
      expect(await within(1_000, 'the end of the settlement', settled)).to.be.a('string')
      proxy.heal()
      // where others look after lost jobs, it wants one
      await work(() => 1)
      await counted({ waiting: 0, active: 0, dead: 0 }, undefined, 40_000)
    },
  },
]
