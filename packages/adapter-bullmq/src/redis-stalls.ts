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
 * BullMQ puts the job of a lost worker before all that waits, whatever its priority. Right after that, before anybody hears of it, it goes on to where its
 * priority belongs, before its equals, as BullMQ does with one that is released.
 */
export function lineUpStalled(worker: LeaseWorker, client: Client, base: string): void {
  const native = worker.getBackend() as unknown as Native
  native.moveStalledJobsToWait = async () => {
    const both = client.pipeline()
    const scripts = both as unknown as Scripts
    const runCommand = (script: string, args: readonly unknown[]): unknown => scripts[script]!(args)
    native.execCommand({ runCommand }, 'moveStalledJobsToWait', native.moveStalledJobsToWaitArgs())
    scripts[command('lineUp')]!(base)
    const [first] = (await both.exec()) ?? []
    const [error, stalled] = first ?? [null, []]
    if (error) throw error
    return stalled
  }
}
