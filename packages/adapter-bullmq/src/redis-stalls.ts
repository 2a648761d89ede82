import { command } from './redis-ledger.ts'
import type { LeaseWorker } from './lease-worker.ts'
import type { Client } from './redis-clients.ts'

/** What a pipeline of ioredis has beyond its types: a method for each script. */
interface Scripts {
  readonly [script: string]: (...args: readonly unknown[]) => unknown
}

/** How BullMQ looks for lost jobs, beyond its types. */
interface Native {
  moveStalledJobsToWait(): Promise<unknown>
  moveStalledJobsToWaitArgs(): readonly unknown[]
  execCommand(
    client: { runCommand: (script: string, args: readonly unknown[]) => unknown },
    script: string,
    args: readonly unknown[],
  ): unknown
}

/**
 * BullMQ puts the job of a lost worker before all that waits, whatever its priority. It goes on to where its priority belongs, before its
 * equals, as BullMQ does with one that is released. Both commands travel together: a worker hears of the job after the second. It is no
 * transaction, for which a user may lack the right.
 */
export function lineUpStalled(worker: LeaseWorker, client: Client, base: string): void {
  const native = worker.getBackend() as unknown as Native
  native.moveStalledJobsToWait = async () => {
    const both = client.pipeline()
    const scripts = both as unknown as Scripts
    const runCommand = (script: string, args: readonly unknown[]): unknown => scripts[script]!(args)
    native.execCommand({ runCommand }, 'moveStalledJobsToWait', native.moveStalledJobsToWaitArgs())
    scripts[command('lineUp')]!(base)
    const [moved, linedUp] = (await both.exec()) ?? []
    const [error, stalled] = moved ?? [null, []]
    if (error) throw error
    if (linedUp?.[0]) worker.emit('error', linedUp[0])
    return stalled
  }
}
