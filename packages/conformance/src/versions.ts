import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** The version of the package that the module at this file URL belongs to. */
export function versionBeside(moduleUrl: string): string {
  return manifestBeside(moduleUrl).manifest.version
}

/** The packages that package depends on, as they are installed: of an adapter, the broker's clients. */
export function clientsBeside(moduleUrl: string): Record<string, string> {
  const { manifest, require } = manifestBeside(moduleUrl)
  const names = Object.keys(manifest.dependencies ?? {}).filter((name) => !name.startsWith('@jobport/'))
  return Object.fromEntries(names.flatMap((name) => versionOf(name, require)))
}

function manifestBeside(moduleUrl: string): { manifest: Manifest; require: NodeJS.Require } {
  const root = moduleUrl.replace(/\/(dist|src)\/[^/]*$/, '/')
  const require = createRequire(root)
  return { manifest: require('./package.json') as Manifest, require }
}

/** A package need not export its manifest, so that is looked for as a file. */
function versionOf(name: string, require: NodeJS.Require): [name: string, version: string][] {
  const folders = require.resolve.paths(name) ?? []
  const file = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path))
  return file === undefined ? [] : [[name, (JSON.parse(readFileSync(file, 'utf8')) as Manifest).version]]
}
