import { existsSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { JobportError } from './errors.ts'
import { isServerUrl, readEnvironment, schemeOf } from './environment.ts'
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
  const adapter = ADAPTERS[schemeOf(url) ?? '']
  if (adapter === undefined)
    throw invalid(
      `URL must begin with one of ${Object.keys(ADAPTERS)
        .map((scheme) => `${scheme}://`)
        .join(' ')}`,
    )
  if (!isServerUrl(url)) throw invalid('URL cannot be read: check its port, and percent-encode its password')
  return adapter
}

async function fromPackage(adapter: string, config: unknown): Promise<Driver> {
  const { createDriver } = await importAdapter(`@jobport/adapter-${adapter}`)
  try {
    return checkContract(createDriver(config))
  } catch (error) {
    // the native error quotes the URL with its password
    if ((error as NodeJS.ErrnoException).code === 'ERR_INVALID_URL') throw invalid(`${adapter} cannot read this URL`)
    throw error
  }
}

/** Packages may be installed where the program can see them and core cannot: then the program's folder finds them. */
async function importAdapter(name: string): Promise<AdapterModule> {
  const found = await load(name, () => import(/* webpackIgnore: true */ /* @vite-ignore */ name))
  if (found) return found
  for (const place of places()) {
    const file = resolveFrom(place, name)
    if (file === undefined) continue
    const { href } = pathToFileURL(file)
    return (await load(name, () => import(/* webpackIgnore: true */ /* @vite-ignore */ href)))!
  }
  throw new JobportError(
    'ADAPTER_MISSING',
    `${name} is not installed: npm install ${name} (looked beside core and from ${places().join(' and ')}). ` +
      `A bundle does not bring it along: install it where the bundle runs, or import { createDriver } from '${name}' yourself and call connect(createDriver(url))`,
  )
}

/**
 * Files and folders from which the program's packages can be seen: the program as it was named (a link, or a folder with
 * a package in it), the file behind that name, and the working directory.
 */
function places(): string[] {
  const [, program] = process.argv
  const named = program === undefined ? [] : [resolve(program), realOf(program)]
  return [...new Set([...named, process.cwd()])]
}

function realOf(file: string): string {
  return existsSync(file) ? realpathSync(file) : resolve(file)
}

/**
 * Absent: no such package. Bundlers must leave these imports alone: only the configuration knows the adapter. The two stand
 * apart, because terser mangles TypeScript's helper for computed imports where it is called only once.
 */
async function load(name: string, imported: () => Promise<unknown>): Promise<AdapterModule | undefined> {
  try {
    return (await imported()) as AdapterModule
  } catch (error) {
    return whenMissing(error, name)
  }
}

/**
 * `place` may be a file: Node looks for packages beside it as if it were a folder. No import of `createRequire`: webpack
 * would follow what it resolves.
 */
function resolveFrom(place: string, name: string): string | undefined {
  const { createRequire } = process.getBuiltinModule('node:module')
  try {
    return createRequire(join(place, 'index.js')).resolve(name)
  } catch (error) {
    return whenMissing(error, name)
  }
}

/** Throws if it is something else that is missing: a dependency of the adapter, or what was never built. */
function whenMissing(error: unknown, name: string): undefined {
  const { code, message = '' } = error as NodeJS.ErrnoException
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error
  const [what = ''] = message.split('\n')
  if (what.includes(name) && !what.includes(`${name}/`)) return undefined
  throw new JobportError('ADAPTER_MISSING', `${name} is installed but incomplete: ${what}`, { cause: error })
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
