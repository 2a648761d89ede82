import { createDriver, type Driver } from '@jobport/core'
import type { Certified } from './certified.ts'

/** A driver to look at what its adapter declares; closed. An adapter whose scheme core does not know is found by its name. */
export async function declared({ url, stem, title }: Pick<Certified, 'url' | 'stem' | 'title'>): Promise<Driver> {
  const driver = await createDriver(url).catch((error: Error) => byName(stem, url, `${title}: ${error.message}`))
  await driver.close()
  return driver
}

async function byName(stem: string, url: string, trouble: string): Promise<Driver> {
  const name = `@jobport/adapter-${stem.split('-')[0]}`
  const module = (await import(name).catch((cause: unknown) => {
    throw new Error(`${trouble}; and there is no ${name}`, { cause })
  })) as { readonly createDriver: (url: string) => Driver }
  return module.createDriver(url)
}
