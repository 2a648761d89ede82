import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerName, RunningBroker, Way } from './broker.ts'
import { endWithProcess } from './exit.ts'
import type { Handle } from './handle.ts'
import type { Recipe } from './recipe.ts'

const READY_DEADLINE = 60_000
const PROBE_DEADLINE = 2_000
const PROBE_PAUSE = 20

type Condition = 'running' | 'stopped' | 'paused'

/** A broker of ours. Its methods take effect one after the other, in the order of their calls; one that changes nothing does nothing. */
export class OwnBroker implements RunningBroker {
  readonly name: BrokerName
  readonly url: string
  readonly way: Way
  readonly owned = true
  readonly setFull?: (full: boolean) => Promise<void>
  readonly stall?: (queue: string, ms: number) => Promise<void>
  readonly setDiskFull?: (full: boolean) => Promise<void>
  readonly #recipe: Recipe
  readonly #handle: Handle
  readonly #release: () => void
  #condition: Condition = 'stopped'
  #last: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(recipe: Recipe, way: Way, handle: Handle) {
    this.name = recipe.name
    this.url = handle.url
    this.way = way
    this.#recipe = recipe
    this.#handle = handle
    const setFull = fillerOf(recipe, handle)
    if (setFull) this.setFull = (full) => this.#next(() => setFull(full))
    const { stall, setDiskFull } = handle
    if (stall) this.stall = (queue, ms) => this.#next(() => stall(queue, ms))
    if (setDiskFull) this.setDiskFull = (full) => this.#next(() => setDiskFull(full))
    this.#release = endWithProcess(() => handle.abandon())
  }

  stop(): Promise<void> {
    return this.#next(() => this.#stop())
  }

  start(): Promise<void> {
    return this.#next(() => this.#start())
  }

  restart(): Promise<void> {
    return this.#next(async () => {
      await this.#stop()
      await this.#start()
    })
  }

  kill(): Promise<void> {
    return this.#next(async () => {
      await this.#resume()
      if (this.#condition === 'stopped') return
      await this.#handle.kill()
      this.#condition = 'stopped'
    })
  }

  pause(): Promise<void> {
    return this.#next(async () => {
      if (this.#condition === 'stopped') throw new Error(`${this.#recipe.title} is stopped: there is nothing to pause`)
      if (this.#condition === 'running') await this.#handle.pause()
      this.#condition = 'paused'
    })
  }

  resume(): Promise<void> {
    return this.#next(async () => {
      await this.#resume()
      if (this.#condition === 'stopped') throw new Error(`${this.#recipe.title} is stopped: start it`)
      await this.#ready()
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#last.then(() => this.#handle.remove()).finally(this.#release)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #stop(): Promise<void> {
    await this.#resume()
    if (this.#condition === 'stopped') return
    this.#condition = 'stopped'
    await this.#handle.stop()
  }

  async #start(): Promise<void> {
    await this.#resume()
    if (this.#condition === 'stopped') await this.#handle.start()
    this.#condition = 'running'
    await this.#ready()
  }

  async #resume(): Promise<void> {
    if (this.#condition !== 'paused') return
    await this.#handle.resume()
    this.#condition = 'running'
  }

  async #ready(): Promise<void> {
    const { host, port } = this.#handle
    const end = Date.now() + READY_DEADLINE
    for (;;) {
      const failure = await this.#handle.failure()
      if (failure !== undefined) this.#condition = 'stopped'
      if (failure !== undefined) throw new Error(`${this.#recipe.title} did not come up: ${failure}`)
      if (await this.#recipe.answers(host, port, AbortSignal.timeout(PROBE_DEADLINE)).catch(() => false)) return
      if (this.#closed) throw new Error(`${this.#recipe.title} was closed before it was up`)
      if (Date.now() > end) throw new Error(`${this.#recipe.title} at ${host}:${port} did not answer within ${READY_DEADLINE} ms`)
      await delay(PROBE_PAUSE)
    }
  }

  #next(step: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(`${this.#recipe.title} at port ${this.#handle.port} is closed`))
    const done = this.#last.then(step)
    this.#last = done.catch(() => {})
    return done
  }
}

function fillerOf({ setFull }: Recipe, handle: Handle): Handle['setFull'] {
  if (!setFull) return handle.setFull
  return (full) => setFull(handle.host, handle.port, full, AbortSignal.timeout(PROBE_DEADLINE))
}
