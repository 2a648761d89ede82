import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { ContainerRuntimeClient } from 'testcontainers'
import type { OpenOptions } from './broker.ts'
import type { Handle } from './handle.ts'
import { freePort } from './ports.ts'
import type { Recipe } from './recipe.ts'
import { orphans, stateFile } from './state.ts'

const PULL_DEADLINE = 180_000
const START_DEADLINE = 60_000
const STOP_DEADLINE = 20_000

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>

/** Makes a container and starts it. Its port on this machine is chosen beforehand: one that the engine maps changes at each start. */
export async function makeContainer(recipe: Recipe, { port, settings = {} }: OpenOptions, kept: boolean): Promise<Handle> {
  const { GenericContainer, ImageName, Wait } = await import('testcontainers')
  const client = await engine()
  await sweepContainers(client)
  const { image, environment, command, ready, port: inside } = recipe.container
  await obtainImage(client, ImageName.fromString(image))
  const outside = port ?? (await freePort())
  const started = await new GenericContainer(image)
    .withCommand(command(settings))
    .withEnvironment(environment)
    .withExposedPorts({ container: inside, host: outside })
    .withWaitStrategy(Wait.forLogMessage(ready))
    .withStartupTimeout(START_DEADLINE)
    .start()
    .catch((error: unknown) => {
      throw new Error(`a container of ${image} did not start: ${reason(error)}`, { cause: error })
    })
  return new ContainerHandle(recipe, client.container.getById(started.getId()), started.getHost(), outside, kept)
}

/** Removes the containers whose owner is gone, if an engine answers. */
export async function sweepContainers(client?: ContainerRuntimeClient): Promise<void> {
  const left = orphans().filter(({ state }) => state.container !== undefined)
  if (left.length === 0) return
  const { container } = client ?? (await engine())
  for (const { state, path } of left) {
    await container
      .getById(state.container ?? '')
      .remove({ force: true, v: true })
      .catch(unlessGone)
    rmSync(path, { force: true })
  }
}

async function engine(): Promise<ContainerRuntimeClient> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  try {
    return await getContainerRuntimeClient()
  } catch (error) {
    throw new NoEngine('no container engine answers', { cause: error })
  }
}

type ImageName = Parameters<ContainerRuntimeClient['image']['pull']>[0]

async function obtainImage({ image }: ContainerRuntimeClient, name: ImageName): Promise<void> {
  if (await image.exists(name)) return
  const given = new AbortController()
  const late = delay(PULL_DEADLINE, undefined, { signal: given.signal, ref: false }).then(() => {
    throw new Error(`not pulled within ${PULL_DEADLINE / 1_000} s`)
  })
  late.catch(() => {})
  try {
    await Promise.race([image.pull(name), late])
    if (!(await image.exists(name))) throw new Error('the engine could not pull it')
  } catch (error) {
    throw new Error(`image ${name.string} cannot be had: ${reason(error)}`, { cause: error })
  } finally {
    given.abort()
  }
}

/** There is nobody to ask for a container: on such a machine, other ways are the usual ones. */
export class NoEngine extends Error {}

function reason(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error)
}

class ContainerHandle implements Handle {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly #recipe: Recipe
  readonly #container: Container
  readonly #forget: () => void

  constructor(recipe: Recipe, container: Container, host: string, port: number, kept: boolean) {
    this.url = recipe.url(host, port)
    this.host = host
    this.port = port
    this.#recipe = recipe
    this.#container = container
    const state = stateFile(recipe.name, this.url, kept)
    state.write({ container: container.id })
    this.#forget = () => state.remove()
  }

  async start(): Promise<void> {
    await this.#container.start().catch(unlessSo)
  }

  async stop(): Promise<void> {
    await this.#container.kill({ signal: this.#recipe.stopSignal })
    const late = delay(STOP_DEADLINE, 'late' as const, { ref: false })
    if ((await Promise.race([this.#ended(), late])) !== 'late') return
    await this.kill()
    throw new Error(`${this.#recipe.title} did not stop within ${STOP_DEADLINE} ms and was killed`)
  }

  async kill(): Promise<void> {
    await this.#container.kill()
    await this.#ended()
  }

  async pause(): Promise<void> {
    await this.#container.pause()
  }

  async resume(): Promise<void> {
    await this.#container.unpause()
  }

  async remove(): Promise<void> {
    await this.#container.unpause().catch(() => {})
    await this.#container.remove({ force: true, v: true }).catch(unlessGone)
    this.#forget()
  }

  /** The engine's reaper or the next sweep removes it: the engine can only be asked and waited for. */
  abandon(): void {}

  async failure(): Promise<string | undefined> {
    const { State: state } = await this.#container.inspect()
    return state.Running ? undefined : `its container ended with code ${state.ExitCode}, see docker logs ${this.#container.id}`
  }

  async #ended(): Promise<void> {
    await this.#container.wait({ condition: 'not-running' })
  }
}

/** "Not modified": it is as it should be. */
function unlessSo(error: unknown): void {
  if ((error as { statusCode?: number }).statusCode !== 304) throw error
}

/** "Not found", or its removal is under way. */
function unlessGone(error: unknown): void {
  const { statusCode } = error as { statusCode?: number }
  if (statusCode !== 404 && statusCode !== 409) throw error
}
