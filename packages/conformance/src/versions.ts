import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** The version of the package that the module at this file URL belongs to. `unknown`: it says none. */
export function versionBeside(moduleUrl: string): string {
  return manifestBeside(moduleUrl)?.manifest.version ?? 'unknown'
}

/** The packages that package depends on, as they are installed: of an adapter, the broker's clients. */
export function clientsBeside(moduleUrl: string): Record<string, string> {
  const beside = manifestBeside(moduleUrl)
  if (!beside) return {}
  const names = Object.keys(beside.manifest.dependencies ?? {}).filter((name) => !name.startsWith('@jobport/'))
  return Object.fromEntries(names.flatMap((name) => versionOf(name, beside.require)))
}

/** The nearest manifest in the folders above the module. */
function manifestBeside(moduleUrl: string): { manifest: Manifest; require: NodeJS.Require } | undefined {
  for (let folder = dirname(fileURLToPath(moduleUrl)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (existsSync(file)) return { manifest: JSON.parse(readFileSync(file, 'utf8')) as Manifest, require: createRequire(file) }
    if (folder === dirname(folder)) return undefined
  }
}

/** A package need not export its manifest, so that is looked for as a file. */
function versionOf(name: string, require: NodeJS.Require): [name: string, version: string][] {
  const folders = require.resolve.paths(name) ?? []
  const file = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path))
  return file === undefined ? [] : [[name, (JSON.parse(readFileSync(file, 'utf8')) as Manifest).version ?? 'unknown']]
}
