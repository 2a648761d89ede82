import { createInbox } from '@nats-io/transport-node'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Client } from './client.ts'
import type { Names } from './names.ts'

/** All workers of this process answer with it: who is there is counted by process. */
const processName = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`

/** How long the first answer may take, and how long after one another they come; ms. Where there is no worker, the server says so. */
const PATIENCE = 600
const GAP = 60

/** What tells the workers that a priority has come into use: no question, and nobody answers it. */
const CHANGED = 'changed'

/** Replies to those who count this queue's workers, and hears of priorities that come into use. Returns how to end that. */
export function appear({ connection }: Client, { workers }: Names, onChange: () => void): () => void {
  const subscription = connection.subscribe(workers, {
    callback: (error, question) => {
      if (error) return
      if (question.string() === CHANGED) onChange()
      else question.respond(processName)
    },
  })
  return () => subscription.unsubscribe()
}

/** Has all workers of the queue look up its priorities at once. */
export function announce({ connection }: Client, { workers }: Names): void {
  connection.publish(workers, CHANGED)
}

/** Processes that consume the queue now, by asking them: one that is dead says nothing. */
export async function countWorkers({ connection }: Client, { workers }: Names): Promise<number> {
  const names = new Set<string>()
  await new Promise<void>((resolve) => {
    const inbox = createInbox()
    let timer = setTimeout(late, PATIENCE)
    const answers = connection.subscribe(inbox, {
      callback: (error, answer) => {
        if (error || answer.headers?.code === 503) return end()
        names.add(answer.string())
        clearTimeout(timer)
        timer = setTimeout(late, GAP)
      },
    })
    connection.publish(workers, '', { reply: inbox })
    // what lies in the socket is read before the next turn
    function late(): void {
      setImmediate(end)
    }
    function end(): void {
      clearTimeout(timer)
      answers.unsubscribe()
      resolve()
    }
  })
  return names.size
}
