// A kind of job with a schema: checked before it is published, and again before it is handled.

import { connect, defineJob, type JobportError } from '@jobport/core'
import { z } from 'zod'

const remind = defineJob({
  name: 'remind',
  attempts: 3,
  schema: z.object({
    to: z.email(),
    amount: z.number().positive(),
    dueOn: z.iso.date().transform((day) => new Date(day)),
  }),
})

const broker = await connect(process.argv[2] ?? 'memory://')
const queue = broker.queue(`reminders-${process.pid}`)

await queue.add(remind, { to: 'amelia@example.org', amount: 89, dueOn: '2026-12-24' })

await queue.add(remind, { to: 'amelia', amount: 0, dueOn: 'tomorrow' }).catch((error: JobportError) => {
  console.log(`not added, ${error.code}: ${error.message}`)
})

// from a program that does not know the schema
await queue.add('remind', { to: 'noah@example.net', total: 12 })

// it travels as it was given; the handler gets what the schema makes of it, here a Date
const worker = broker.worker(queue.name, [
  remind.handler(({ data }) => console.log(`handled: ${data.to} owes ${data.amount} by ${data.dueOn.toDateString()}`)),
])
const handled = new Promise((resolve) => worker.on('completed', resolve))
const refused = new Promise((resolve) => worker.on('dead', (_job, error, reason) => resolve(`dead, ${reason}: ${error.message}`)))
await handled
console.log(await refused)

await queue.drop()
await broker.close()
