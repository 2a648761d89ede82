import { expect, refusal, until, within } from '../assert.ts'
import { Load } from '../load.ts'
import { insist, pause } from '../wait.ts'
import { listens, wireOf } from '../wire.ts'
import type { JobportError } from '@jobport/core'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'
import type { Breakable } from '../breakable.ts'

/** From when the broker serves again to when jobs flow again, ms. */
const RECOVERY = 15_000
/** Leases run out within this, ms; suites set them short. */
const REDELIVERY = 40_000
/** Some brokers need a second until what they have just declared survives their SIGKILL, ms. */
const SETTLING = 2_000
/** Of one payload on a small disk, characters. */
const PIECE = 100_000
/** In which adds find that there is no room, ms. */
const FILLING = 30_000
/** Longer than the timers of any client, ms. */
const OUTAGE = 45_000

const NOT_THERE = ['UNAVAILABLE', 'TIMEOUT', 'UNCONFIRMED'] as const

/** The broker stops, dies, freezes, comes back. */
export const brokerFaults: readonly Case[] = [
  {
    id: 'FLT-01',
    title: 'the broker is restarted, then killed, under load: every add ends by its deadline, no accepted job is lost',
    needs: 'durable',
    breaks: true,
    run: async (ctx) => {
      const load = new Load(ctx)
      await load.start()
      await pause(SETTLING)
      const broker = own(ctx)
      await broker.restart()
      await load.flows(RECOVERY)
      await broker.kill()
      await broker.start()
      await load.flows(RECOVERY)
      await load.drain(REDELIVERY)
    },
  },
  {
    id: 'FLT-02',
    title: 'the broker is away for 45 s while workers are idle: they consume again by themselves',
    needs: 'durable',
    breaks: true,
    slow: true,
    run: async (ctx) => {
      const { queue, work, completed } = ctx
      await work(() => 1)
      await queue.add('a', 1)
      await completed(1)
      const broker = own(ctx)
      await broker.stop()
      await pause(OUTAGE)
      await broker.start()
      await insist(RECOVERY, () => queue.add('a', 1, { id: 'after', deadline: 2_000 }))
      await completed(2, RECOVERY)
      expect(ctx.story.ids('completed').at(-1)).to.equal('after')
    },
  },
  {
    id: 'FLT-10',
    title: 'the broker is absent at the start: a producer is refused in time, a worker waits and then works',
    needs: 'durable',
    breaks: true,
    run: async (ctx) => {
      const { broker: client, queue, story, completed } = ctx
      await queue.add('a', 1, { id: 'before' })
      const broker = own(ctx)
      await broker.stop()
      const late = client({ deadline: 2_000 })
      story.follow(late.worker(queue.name, () => 1))
      const add = client({ deadline: 2_000 }).queue(queue.name).add('a', 1, { id: 'away' })
      await within(3_500, 'an add without a broker', refusal(add, NOT_THERE))
      await broker.start()
      await completed(1, RECOVERY)
      expect(story.ids('completed')[0]).to.equal('before')
    },
  },
  {
    id: 'FLT-26',
    title: 'an add while the broker is away waits for it until its deadline, and is stored when it is back, once',
    needs: 'durable',
    breaks: true,
    run: async (ctx) => {
      const { queue, work, exactly, story, broker: client } = ctx
      await queue.add('a', 1, { id: 'before' })
      const fresh = client({ deadline: 30_000 }).queue(queue.name)
      const broker = own(ctx)
      await broker.stop()
      const adds = [queue, fresh].flatMap((producer, i) =>
        [1, 2, 3].map((n) => producer.add('a', n, { id: `held-${i}-${n}`, deadline: 30_000 })),
      )
      const ends = Promise.allSettled(adds)
      await within(2_500, 'an add whose deadline comes', refusal(queue.add('a', 1, { deadline: 1_000 }), NOT_THERE))
      await broker.start()
      const receipts = await within(30_000, 'the adds', ends)
      // one that was on its way when the broker went may have been stored
      for (const end of receipts) if (end.status === 'rejected') await refusal(Promise.reject(end.reason), 'UNCONFIRMED')
      const held = receipts.flatMap((end) => (end.status === 'fulfilled' ? [end.value.id] : []))
      expect(held, 'adds that were held').to.include.members(['held-1-1', 'held-1-2', 'held-1-3'])
      await work(() => 1)
      const missing = (): string[] => story.missing(['before', ...held])
      await until(() => missing().length === 0, 'a run of every accepted job', missing, RECOVERY)
      exactly([...new Set(story.ids('active'))], story.ids('active'), 'started')
    },
  },
  {
    id: 'FLT-11',
    title: 'the broker is frozen: calls end by their deadline; thawed, it goes on and nothing is lost',
    needs: 'durable',
    breaks: true,
    run: async (ctx) => {
      const load = new Load(ctx)
      await load.start()
      const broker = own(ctx)
      await broker.pause()
      const counts = ctx.broker({ deadline: 1_000 }).queue(ctx.queue.name).counts()
      await within(3_000, 'counts of a frozen broker', refusal(counts, ['UNAVAILABLE', 'TIMEOUT']))
      await until(
        () => load.refusals.length > 0,
        'an add that ended',
        () => load.refusals,
      )
      await broker.resume()
      await load.flows(RECOVERY)
      await load.drain(REDELIVERY)
    },
  },
  {
    id: 'FLT-13',
    title: 'the broker is killed with 200 adds on their way: each of them ends, and what it confirmed is there',
    needs: 'durable',
    breaks: true,
    run: async (ctx) => {
      const { queue, work, story } = ctx
      await queue.add('a', 0)
      await pause(SETTLING)
      const broker = own(ctx)
      const ids = Array.from({ length: 200 }, (_, i) => `pending-${i}`)
      const adds = ids.map((id) => queue.add('a', 1, { id, deadline: 4_000 }))
      await Promise.race(adds)
      const [ends] = await Promise.all([within(5_500, 'the adds', Promise.allSettled(adds)), broker.kill()])
      await broker.start()
      const confirmed = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.id] : []))
      for (const end of ends) {
        if (end.status === 'rejected') await refusal(Promise.reject(end.reason), ['UNCONFIRMED', 'UNAVAILABLE', 'TIMEOUT'])
      }
      await work(() => 1, { concurrency: 10 })
      const missing = (): string[] => story.missing(confirmed)
      await until(() => missing().length === 0, 'a run of every confirmed job', missing, RECOVERY)
    },
  },
  {
    id: 'FLT-15',
    title: 'the broker has no room left: adds are refused in time, and once there is room nothing accepted is missing',
    needs: 'durable',
    breaks: true,
    fills: 'broker',
    run: async (ctx) => {
      const { queue, work, story, counted } = ctx
      const gate = Promise.withResolvers<void>()
      await work(({ id }) => (id === 'running' ? gate.promise : undefined), { concurrency: 5 })
      await queue.add('a', 1, { id: 'running' })
      await until(
        () => story.of('active').length === 1,
        'a start',
        () => story.tally(),
      )
      const { setFull } = own(ctx)
      // of what the broker neither took nor refused in time, nobody knows yet
      const maybe: string[] = []
      await setFull?.(true)
      try {
        const add = queue.add('a', 1, { id: 'refused', deadline: 1_000 })
        const { code } = await within(2_500, 'an add without room', refusal(add, ['REJECTED', 'UNAVAILABLE', 'UNCONFIRMED']))
        if (code === 'UNCONFIRMED') maybe.push('refused')
        gate.resolve()
        await pause(SETTLING)
      } finally {
        await setFull?.(false)
      }
      await insist(RECOVERY, () => queue.add('a', 1, { id: 'after', deadline: 2_000 }))
      const accepted = ['running', 'after']
      const missing = (): string[] => story.missing(accepted)
      await until(() => missing().length === 0, 'a run of every accepted job', missing, RECOVERY)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 }, undefined, REDELIVERY)
      const strangers = story.ids('active').filter((id) => !accepted.includes(id) && !maybe.includes(id))
      expect(strangers, 'refused, and run').to.deep.equal([])
    },
  },
  {
    id: 'FLT-17',
    title:
      'the disk is full: every add ends by its deadline, and when there is room and the broker restarted, nothing accepted is missing',
    needs: 'durable',
    breaks: true,
    fills: 'disk',
    slow: true,
    run: async (ctx) => {
      const { queue, work, story, counted } = ctx
      const broker = own(ctx)
      const accepted: string[] = []
      const maybe: string[] = []
      const data = 'x'.repeat(PIECE)
      const add = async (id: string): Promise<JobportError | undefined> => {
        const adding = queue.add('a', data, { id, deadline: 1_000 })
        const error = await within(
          2_500,
          'an add',
          adding.then(() => undefined).catch((error: unknown) => error as JobportError),
        )
        if (!error) accepted.push(id)
        else if (error.code === 'UNCONFIRMED') maybe.push(id)
        return error
      }
      for (let i = 0; i < 20; i++) expect(await add(`before-${i}`)).to.equal(undefined)
      await pause(SETTLING)
      await broker.setDiskFull?.(true)
      try {
        let refused: JobportError | undefined
        const end = performance.now() + FILLING
        for (let i = 0; !refused && performance.now() < end; i++) refused = await add(`during-${i}`)
        expect(refused?.code, 'the answer of a full disk').to.be.oneOf(['REJECTED', 'UNAVAILABLE', 'UNCONFIRMED'])
      } finally {
        await broker.setDiskFull?.(false)
      }
      await pause(SETTLING)
      await insist(RECOVERY, () => broker.restart())
      await insist(RECOVERY, async () => {
        const error = await add('after')
        if (error) throw error
      })
      await work(() => 1, { concurrency: 5 })
      const missing = (): string[] => story.missing(accepted)
      await until(() => missing().length === 0, 'a run of every accepted job', missing, REDELIVERY)
      const strangers = story.ids('active').filter((id) => !accepted.includes(id) && !maybe.includes(id))
      expect(strangers, 'refused, and run').to.deep.equal([])
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 }, undefined, REDELIVERY)
    },
  },
]

/** The broker that the case may break; one that it has stopped or killed is seen not to listen any more. */
function own({ breakable, harness }: Context): Breakable {
  if (!breakable) throw new Error('this case needs a broker that it may break')
  const wire = wireOf(harness.remote!.url)
  const gone = async (step: () => Promise<void>): Promise<void> => {
    await step()
    if (wire) expect(await listens(wire), 'a broker that still listens although it was stopped').to.equal(false)
  }
  const { setFull, setDiskFull } = breakable
  return {
    url: breakable.url,
    stop: () => gone(() => breakable.stop()),
    kill: () => gone(() => breakable.kill()),
    start: () => breakable.start(),
    restart: () => breakable.restart(),
    pause: () => breakable.pause(),
    resume: () => breakable.resume(),
    close: () => breakable.close(),
    ...(setFull && { setFull: (full: boolean) => setFull.call(breakable, full) }),
    ...(setDiskFull && { setDiskFull: (full: boolean) => setDiskFull.call(breakable, full) }),
  }
}
