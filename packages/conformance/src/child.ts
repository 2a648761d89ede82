import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, until, within } from './assert.ts'
import type { AddOptions, Receipt } from '@jobport/core'

/** What a process of the suite's own is to do. */
export interface ChildTask {
  /** File URL of the module that exports `createDriver(url)`. */
  readonly module: string
  readonly url: string
  readonly queue: string
  readonly role: 'worker' | 'producer'
  readonly concurrency?: number
  readonly crashLimit?: number
}

/** What it tells. */
export type Report =
  | { readonly type: 'ready' | 'signalled' }
  | {
      /** `failed`: the run is over, and another will follow. */
      readonly type: 'active' | 'completed' | 'failed' | 'stalled' | 'dead'
      readonly id: string
      readonly uid: string
      readonly attempt: number
      readonly crashes: number
      readonly reason?: string
      /** Epoch ms. */
      readonly at: number
    }
  /** The handler that holds was told to end. */
  | { readonly type: 'aborted'; readonly code: string }
  | { readonly type: 'added'; readonly receipt: Receipt }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'error'; readonly message: string; readonly code?: string; readonly id?: string; readonly at: number }
  /** Got no time from the machine, or was frozen, for so many ms until `at`, epoch ms. */
  | { readonly type: 'starved'; readonly ms: number; readonly at: number }

/** Data of a job named `mixed`: so many of its runs fail, each after so many ms. */
export interface Mixed {
  readonly fails: number
  readonly ms: number
}

/** What a producer is told to add. */
export interface Order {
  readonly name: string
  readonly data: unknown
  readonly options?: AddOptions
}

/** What a process gets to end by itself, ms. */
const ENDING = 15_000

/** A process that can be killed without a word. */
export class Child {
  readonly reports: Report[] = []
  readonly ready: Promise<void>
  readonly #process: ChildProcess

  constructor(task: ChildTask) {
    this.#process = fork(fileURLToPath(new URL('./child-program.js', import.meta.url)), [JSON.stringify(task)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#process.on('message', (report: Report) => this.reports.push(report))
    this.ready = this.#begin()
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Exit code, or the signal's name. */
  get end(): number | string | null {
    return this.#process.exitCode ?? this.#process.signalCode
  }

  of<Type extends Report['type']>(type: Type): Extract<Report, { type: Type }>[] {
    return this.reports.filter((report): report is Extract<Report, { type: Type }> => report.type === type)
  }

  /** Tells a producer to add a job; the answer comes as a report. */
  add(order: Order): void {
    if (this.#process.connected) this.#process.send(order, () => {})
  }

  /** Asks it to close gracefully. */
  close(): void {
    if (this.#process.connected) this.#process.send('close', () => {})
  }

  /** Of a process that runs. */
  signal(signal: NodeJS.Signals): void {
    expect(this.#process.kill(signal), `a process that can be sent ${signal}`).to.equal(true)
  }

  /** SIGKILL of a process that runs; resolves once it is gone. */
  async kill(): Promise<void> {
    expect(this.running, 'a process that can be killed').to.equal(true)
    await this.discard()
    expect(this.end, 'the end of a process that is killed').to.equal('SIGKILL')
  }

  /** SIGKILL, if it still runs. */
  async discard(): Promise<void> {
    if (!this.running) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }

  /** Resolves once it has ended by itself. */
  async ended(deadline: number = ENDING): Promise<void> {
    if (this.running) await within(deadline, 'the end of a process', once(this.#process, 'exit'))
  }

  async #begin(): Promise<void> {
    await until(
      () => this.of('ready').length > 0 || !this.running,
      'start of a child process',
      () => this.reports,
    )
    if (this.of('ready').length === 0) throw new Error(`a child process ended at its start: ${JSON.stringify(this.reports)}`)
  }
}
