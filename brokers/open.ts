import { WAYS, type BrokerName, type OpenOptions, type RunningBroker, type Way } from './broker.ts'
import { makeContainer, NoEngine } from './container.ts'
import { NamedBrokerError, openFromEnvironment } from './environment.ts'
import type { Handle } from './handle.ts'
import { makeLocal } from './local.ts'
import { OwnBroker } from './own.ts'
import { isBrokerName, recipes } from './recipes.ts'
import type { Recipe } from './recipe.ts'

type Make = (recipe: Recipe, options: OpenOptions, kept: boolean) => Promise<Handle>

const MAKE: Record<Exclude<Way, 'environment'>, Make> = { container: makeContainer, local: makeLocal }

/** Opens a broker by the first way that works, and resolves once it serves requests. */
export function openBroker(name: BrokerName, options: OpenOptions = {}): Promise<RunningBroker> {
  return open(name, options, false)
}

/** `kept`: known to `env` and `down`. */
export async function open(name: BrokerName, options: OpenOptions, kept: boolean): Promise<RunningBroker> {
  if (!isBrokerName(name)) throw new Error(`No broker is called '${String(name)}'; there are ${Object.keys(recipes).join(', ')}`)
  const recipe = recipes[name]
  const own = options.own === true || options.port !== undefined || options.settings !== undefined || options.disk !== undefined
  const ways = WAYS.filter((way) => (options.ways ?? WAYS).includes(way) && !(own && way === 'environment'))
  const failures: string[] = []
  for (const way of ways) {
    try {
      return way === 'environment' ? await openFromEnvironment(recipe) : await make(recipe, way, options, kept)
    } catch (error) {
      if (error instanceof NamedBrokerError) throw error
      const message = error instanceof Error ? error.message : String(error)
      failures.push(`  ${way}: ${message}`)
      const surprising = way === 'container' && !(error instanceof NoEngine) && ways.includes('local')
      if (surprising) warnOnce(`Using a ${recipe.title} of this machine: ${message}`)
    }
  }
  throw new Error([`No ${recipe.title} to be had.`, ...failures, ...remedies(recipe)].join('\n'))
}

async function make(
  recipe: Recipe,
  way: Exclude<Way, 'environment'>,
  options: OpenOptions,
  kept: boolean,
): Promise<RunningBroker> {
  const broker = new OwnBroker(recipe, way, await MAKE[way](recipe, options, kept))
  try {
    await broker.start()
    return broker
  } catch (error) {
    await broker.close()
    throw error
  }
}

function remedies({ title, variable, usualPort, container, local, url }: Recipe): string[] {
  return [
    'Any of these helps:',
    `  export ${variable}=${url('127.0.0.1', usualPort)}    # a ${title} that runs already`,
    `  docker pull ${container.image}    # with a container engine that runs; as root on Debian: brokers/engine-up.sh FOLDER && . FOLDER/env`,
    ...local.install.map((command) => `  ${command}`),
  ]
}

const warnings = new Set<string>()

function warnOnce(text: string): void {
  if (warnings.has(text)) return
  warnings.add(text)
  console.warn(text)
}
