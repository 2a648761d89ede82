import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createDriver, JobportError } from '@jobport/core'
import type { Driver, DriverListener, ServerInfo } from '@jobport/core/driver'
import { inTime } from './wait.ts'
import type { Breakable } from './breakable.ts'
import type { Harness } from './harness.ts'

/** What a broker gets to answer a visitor, and to let him go, ms. */
const VISIT = 30_000
/** For hundreds of queues. */
const LOOKING = 120_000
const DEAF: DriverListener = { down: () => {}, up: () => {}, error: () => {} }

/** An adapter as the suite needs it: its module's URL and what that exports. */
export interface Adapter {
  readonly module: URL
  readonly createDriver: (url: string) => Driver
}

/** That of the module, or the one that Jobport has for the URL. */
export async function adapterFor(url: string, module: string | undefined): Promise<Adapter> {
  return module === undefined ? adapterOf(url) : load(pathToFileURL(resolve(module)))
}

/** Core knows which adapter serves a URL; where its package is installed, the program's folder knows. */
async function adapterOf(url: string): Promise<Adapter> {
  const driver = await createDriver(url).catch((error: JobportError) => {
    if (error.code !== 'INVALID_CONFIG') throw error
    throw new JobportError('INVALID_CONFIG', `${error.message}; an adapter that core does not know is named by --module <file>`)
  })
  await driver.close()
  const name = `@jobport/adapter-${driver.name}`
  return load(pathToFileURL(installed(name) ?? fileURLToPath(import.meta.resolve(name))))
}

/** As the program's folder sees it. */
function installed(name: string): string | undefined {
  try {
    return createRequire(join(process.cwd(), 'index.js')).resolve(name)
  } catch {
    return undefined
  }
}

async function load(module: URL): Promise<Adapter> {
  const { createDriver: make } = (await import(module.href)) as Partial<Adapter>
  if (typeof make !== 'function') throw new Error(`${module.href} exports no createDriver(url)`)
  return { module, createDriver: make }
}

/** What a module knows of brokers of that kind; all but `openBroker` it need not export. */
interface BrokerModule {
  readonly openBroker: (url: string, options?: { readonly disk?: number }) => Promise<Breakable>
  /** Absent: it serves every URL. */
  readonly serves: (url: string) => boolean
  readonly corruptOf: (url: string) => Harness['corrupt']
  /** Bytes. */
  readonly memoryOf: (url: string) => number | undefined
}

/** What such a module can do to brokers of that kind, and tell of the one at `url`. */
export async function breakingOf(
  file: string,
  url: string,
): Promise<{ abilities: Pick<Harness, 'openBroker' | 'corrupt'>; memory?: () => number | undefined }> {
  const module = pathToFileURL(resolve(file))
  const { openBroker, serves, corruptOf, memoryOf } = (await import(module.href)) as Partial<BrokerModule>
  if (typeof openBroker !== 'function') throw new Error(`${module.href} exports no openBroker(url)`)
  if (serves && !serves(url)) return { abilities: {} }
  const corrupt = corruptOf?.(url)
  return {
    abilities: { openBroker: (options) => openBroker(url, options), ...(corrupt && { corrupt }) },
    memory: () => memoryOf?.(url),
  }
}

/** Fails early, and in few words, if the broker cannot be had. */
export async function visit({ createDriver: make }: Adapter, url: string): Promise<{ driver: Driver } & ServerInfo> {
  const driver = make(url)
  try {
    return { driver, ...(await inTime(VISIT, 'connecting', driver.connect(DEAF))) }
  } finally {
    await inTime(VISIT, 'closing a driver', driver.close())
  }
}

/** A broker whose jobs outlive this process can be reached from others. */
export function harnessOf({ module, createDriver: make }: Adapter, url: string, { name, features }: Driver): Harness {
  return {
    name,
    createDriver: (through = url) => make(through),
    ...(features.durable && { remote: { url, module } }),
    leftovers: async (queues) => {
      const driver = make(url)
      try {
        await inTime(VISIT, 'connecting', driver.connect(DEAF))
        return await inTime(LOOKING, 'looking for what is left', leftIn(driver, queues))
      } finally {
        await inTime(VISIT, 'closing a driver', driver.close())
      }
    },
  }
}

async function leftIn(driver: Driver, queues: readonly string[]): Promise<string[]> {
  const left: string[] = []
  for (const queue of queues) {
    const counts = await driver.admin(queue).counts()
    if (Object.values(counts).some((count) => count > 0)) left.push(`${queue} ${JSON.stringify(counts)}`)
  }
  return left
}
