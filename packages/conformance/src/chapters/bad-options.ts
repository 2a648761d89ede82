import { defineJob, type AddOptions } from '@jobport/core'
import { expect, refusal } from '../assert.ts'
import { watched } from '../watched.ts'
import type { Case } from '../case.ts'

/** Options out of range, at odds, or unknown, and handlers that are none. */
export const badOptions: readonly Case[] = [
  {
    id: 'BAD-06',
    title: 'options out of range are refused, by their name, when they are given',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      const whole = [0, -1, 1.5, NaN, Infinity, '1', null, 2 ** 53, {}]
      const table: Record<string, readonly unknown[]> = {
        attempts: whole,
        timeout: whole,
        deadline: whole,
        delay: [NaN, Infinity, -Infinity, '5', null, {}, 1e300],
        at: [0, '2030-01-01', new Date(NaN), null, {}],
        priority: [-1, 10, 1.5, NaN, '1', null],
        dedup: [
          1,
          null,
          {},
          { ttl: 0 },
          { ttl: 999 },
          { ttl: NaN },
          { ttl: '1000' },
          { ttl: undefined },
          { ttl: Infinity },
          { ttl: 1_000, mode: 'x' },
        ],
        backoff: [
          1_000,
          'fixed',
          null,
          {},
          { type: 'fixed' },
          { delay: 1 },
          { type: 'linear', delay: 1 },
          { type: 'fixed', delay: -1 },
          { type: 'fixed', delay: NaN },
          { type: 'exponential', delay: 1, max: -1 },
          { type: 'fixed', delay: 1, jitter: 1.1 },
          { type: 'fixed', delay: 1, jitter: -0.1 },
          { type: 'fixed', delay: 1, factor: 2 },
        ],
      }
      for (const [option, values] of Object.entries(table)) {
        if ((option === 'delay' && !ctx.features.delay) || (option === 'dedup' && !ctx.features.dedup)) continue
        for (const value of values) {
          const options = { id: 'x', [option]: value } as AddOptions
          const error = await refusal(queue.add('a', 1, options), 'INVALID_ARGUMENT')
          expect(error.message).to.include(option)
          await refusal(queue.addMany([{ name: 'a', data: 1, options }]), 'INVALID_ARGUMENT')
          if (option === 'attempts' || option === 'backoff' || option === 'priority' || option === 'timeout') {
            await refusal(() => broker.queue('q', { defaults: { [option]: value } }), 'INVALID_ARGUMENT')
          }
        }
      }
      for (const [option, values] of Object.entries({
        concurrency: whole,
        timeout: whole,
        crashLimit: [-1, 1.5, '3', null],
        backoff: [1, {}, null],
        middleware: [1, [1], () => 1],
      })) {
        for (const value of values) await refusal(() => broker.worker('q', () => 1, { [option]: value }), 'INVALID_ARGUMENT')
      }
      for (const options of [null, [], 'x', new Map([['attempts', 2]]), Object.create({ attempts: 2 })])
        await refusal(queue.add('a', 1, options as AddOptions), 'INVALID_ARGUMENT')
      for (const limit of [0, -1, 1.5, 1_001, '10', null])
        await refusal(queue.deadLetters.list({ limit: limit as number }), 'INVALID_ARGUMENT')
      if (ctx.features.inspect) await refusal(queue.list('waiting', { cursor: 1 as unknown as string }), 'INVALID_ARGUMENT')
      await refusal(queue.list('failed' as 'dead'), 'INVALID_ARGUMENT')
      await refusal(queue.deadLetters.redrive('x', { attempts: 0 }), 'INVALID_ARGUMENT')
      for (const timeout of [-1, NaN, '1']) await refusal(() => broker.close({ timeout: timeout as number }), 'INVALID_ARGUMENT')
      expect(methods).to.deep.equal([])
    },
  },
  {
    id: 'BAD-07',
    title: 'options that contradict each other are refused, also when they meet by way of defaults',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      const at = new Date(Date.now() + 1_000)
      for (const options of [
        { delay: 5, at },
        { delay: 0, at },
        { dedup: { ttl: 1_000 } },
        { dedup: { ttl: 1_000 }, id: undefined },
      ] as AddOptions[]) {
        await refusal(queue.add('a', 1, options), 'INVALID_ARGUMENT')
        await refusal(queue.addMany([{ name: 'a', data: 1, options }]), 'INVALID_ARGUMENT')
      }
      for (const defaults of [{ id: 'x' }, { delay: 5 }, { at }, { dedup: { ttl: 1_000 } }, { deadline: 5 }]) {
        await refusal(() => broker.queue('q', { defaults } as object), 'INVALID_ARGUMENT')
        await refusal(() => defineJob({ name: 'a', ...defaults }), 'INVALID_ARGUMENT')
      }
      await refusal(queue.add(defineJob({ name: 'a', queue: 'elsewhere' }), 1), 'INVALID_ARGUMENT')
      await refusal(() => broker.worker('q', [defineJob({ name: 'a', queue: 'elsewhere' }).handler(() => 1)]), 'INVALID_ARGUMENT')
      await refusal(
        () => broker.worker('q', [defineJob({ name: 'a' }).handler(() => 1), defineJob({ name: 'a' }).handler(() => 2)]),
        'INVALID_ARGUMENT',
      )
      expect(methods).to.deep.equal([])
    },
  },
  {
    id: 'BAD-09',
    title: 'handlers that are none, and unknown options, whose error names the right one',
    run: async (ctx) => {
      const { broker, queue, methods } = watched(ctx)
      for (const bad of [
        undefined,
        null,
        1,
        'a',
        {},
        [],
        { a: undefined },
        { a: 1 },
        { a: { handler: () => 1 } },
        { '': () => 1 },
        [() => 1],
        [null],
        [{}],
        [{ definition: {}, handler: () => 1 }],
        new Map(),
      ]) {
        await refusal(() => broker.worker('q', bad as () => unknown), 'INVALID_ARGUMENT')
      }
      await refusal(() => broker.worker('q', [defineJob({ name: 'a' }).handler(1 as unknown as () => 1)]), 'INVALID_ARGUMENT')
      const adding: Record<string, string> = {
        opts: 'without a wrapper',
        jobId: "Jobport's is id",
        removeOnComplete: 'keep',
        removeOnFail: 'keep',
        repeat: 'do not repeat',
        atempts: "did you mean 'attempts'",
        Priority: "did you mean 'priority'",
        retries: "Jobport's is attempts",
        startAfter: 'at (Date)',
        ttl: 'dedup',
        header: "did you mean 'headers'",
        nonsense: 'known: attempts',
        constructor: 'known: attempts',
      }
      for (const [option, advice] of Object.entries(adding)) {
        await says(queue.add('a', 1, { [option]: undefined }), option, advice)
        await says(queue.addMany([{ name: 'a', data: 1, options: { [option]: 1 } }]), option, advice)
      }
      await says(queue.addMany([{ name: 'a', data: 1, opts: { delay: 5 } } as never]), 'opts', "did you mean 'options'")
      await says(queue.addMany([], { deadlin: 5 } as object), 'deadlin', "did you mean 'deadline'")
      await says(queue.deadLetters.list({ limits: 5 } as object), 'limits', "did you mean 'limit'")
      await says(queue.deadLetters.redrive('x', { attempt: 5 } as object), 'attempt', "did you mean 'attempts'")
      await says(() => broker.queue('q', { defaultJobOptions: {} } as object), 'defaultJobOptions', "Jobport's is defaults")
      await says(() => broker.queue('q', { defaults: { removeOnComplete: true } } as object), 'defaults.removeOnComplete', 'keep')
      await says(() => broker.worker('q', () => 1, { concurency: 5 } as object), 'concurency', "did you mean 'concurrency'")
      await says(
        () => broker.worker('q', () => 1, { maxStalledCount: 5 } as object),
        'maxStalledCount',
        "Jobport's is crashLimit",
      )
      await says(() => ctx.broker({ deadlines: 5 } as object), 'deadlines', "did you mean 'deadline'")
      expect(methods).to.deep.equal([])
    },
  },
]

async function says(work: Promise<unknown> | (() => unknown), option: string, advice: string): Promise<void> {
  const { message } = await refusal(work, 'INVALID_ARGUMENT')
  expect(message).to.include(`'${option}'`)
  expect(message).to.include(advice)
}
