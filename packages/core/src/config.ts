import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { JobportError } from './errors.ts'
import { readEnvironment } from './environment.ts'
import type { Driver } from './driver.ts'

/** The version of the contract that this core speaks. */
const CONTRACT = 1

/** A URL, an adapter by name with its options, or a driver. Absent: the environment decides. */
export type Config = string | Driver | { readonly adapter: string; readonly [option: string]: unknown }

/** What core needs of an adapter's package. */
interface AdapterModule {
  readonly createDriver: (config: unknown) => Driver
}

const ADAPTERS: Record<string, string> = {
  redis: 'bullmq',
  rediss: 'bullmq',
  postgres: 'bullmq',
  postgresql: 'bullmq',
  amqp: 'rabbitmq',
  amqps: 'rabbitmq',
  nats: 'nats',
  'nats+tls': 'nats',
  memory: 'memory',
}

/** Makes the driver that `config` names; imports its adapter only now. Throws `INVALID_CONFIG` or `ADAPTER_MISSING`. */
export async function createDriver(config: Config = readEnvironment()): Promise<Driver> {
  if (typeof config === 'string') return fromPackage(adapterOf(config), config)
  if (typeof config !== 'object' || config === null) throw invalid('must be a URL, { adapter, … } or a driver')
  if (isDriver(config)) return checkContract(config)
  const { adapter, ...options } = config
  if (typeof adapter !== 'string') throw invalid("needs 'adapter', a URL, or a driver")
  if (!Object.values(ADAPTERS).includes(adapter))
    throw invalid(`adapter '${adapter}' is unknown: ${[...new Set(Object.values(ADAPTERS))].join(', ')}`)
  return fromPackage(adapter, options)
}

function adapterOf(url: string): string {
  const adapter = URL.canParse(url) ? ADAPTERS[new URL(url).protocol.slice(0, -1)] : undefined
  if (adapter !== undefined) return adapter
  throw invalid(
    `URL must begin with one of ${Object.keys(ADAPTERS)
      .map((scheme) => `${scheme}://`)
      .join(' ')}`,
  )
}

async function fromPackage(adapter: string, config: unknown): Promise<Driver> {
  const { createDriver } = await importAdapter(`@jobport/adapter-${adapter}`)
  return checkContract(createDriver(config))
}

/** Packages may be installed where the program can see them and core cannot: then the program's folder finds them. */
async function importAdapter(name: string): Promise<AdapterModule> {
  try {
    return (await import(name)) as AdapterModule
  } catch (error) {
    if (!isMissing(error, name)) throw error
  }
  for (const folder of [process.argv[1], join(process.cwd(), 'index.js')]) {
    const found = folder === undefined ? undefined : resolveFrom(folder, name)
    if (found !== undefined) return (await import(pathToFileURL(found).href)) as AdapterModule
  }
  throw new JobportError('ADAPTER_MISSING', `${name} is not installed: npm install ${name}`)
}

function resolveFrom(file: string, name: string): string | undefined {
  try {
    return createRequire(file).resolve(name)
  } catch (error) {
    if (isMissing(error, name)) return undefined
    throw error
  }
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message = '' } = error as NodeJS.ErrnoException
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(name)
}

function isDriver(config: object): config is Driver {
  return 'contract' in config && 'publish' in config
}

function checkContract(driver: Driver): Driver {
  if (driver.contract === CONTRACT) return driver
  throw invalid(
    `${driver.name} implements version ${String(driver.contract)} of the driver contract; this core knows ${String(CONTRACT)}`,
  )
}

function invalid(message: string): JobportError {
  return new JobportError('INVALID_CONFIG', `configuration: ${message}`)
}
