import { saboteurs } from './index.ts'
import type { Driver } from '@jobport/core/driver'
import type { Harness } from '../harness.ts'

/** Which saboteur, and the file URL of the honest adapter, in the query of a URL. */
const NAME = 'saboteur'
const MODULE = 'honest'

/** The adapter of `module`, spoiled by the saboteur of that name in every process: workers of the suite's own load this module too. */
export async function spoiledHarness(name: string, module: URL, url: string): Promise<Harness> {
  const spoiled = new URL(url)
  spoiled.searchParams.set(NAME, name)
  spoiled.searchParams.set(MODULE, module.href)
  await load(module.href)
  return {
    name: `${name}, on ${spoiled.protocol}//`,
    createDriver: (given = spoiled.href) => createDriver(given),
    remote: { url: spoiled.href, module: new URL(import.meta.url.replace(/\.ts$/, '.js').replace('/src/', '/dist/')) },
  }
}

const loaded = new Map<string, (url: string) => Driver>()

async function load(href: string): Promise<void> {
  const { createDriver: make } = (await import(href)) as { createDriver(url: string): Driver }
  loaded.set(href, make)
}

// a process of the suite's own knows from its task what is honest
const task = process.argv[2]?.startsWith('{') ? (JSON.parse(process.argv[2]) as { url?: string }) : {}
const honest = task.url === undefined ? null : new URL(task.url).searchParams.get(MODULE)
if (honest !== null) await load(honest)

/** What the suite calls in place of the adapter's. */
export function createDriver(url: string): Driver {
  const own = new URL(url)
  const name = own.searchParams.get(NAME)
  const make = loaded.get(own.searchParams.get(MODULE) ?? '')
  const saboteur = saboteurs.find((each) => each.name === name)
  if (!make || !saboteur) throw new Error(`no saboteur of the name '${name ?? ''}'`)
  for (const key of [NAME, MODULE]) own.searchParams.delete(key)
  return saboteur.wrap(make(saboteur.urlOf?.(own.href) ?? own.href))
}
