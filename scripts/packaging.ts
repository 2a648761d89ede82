import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { step } from './step.ts'

// Judges each public package by what would be published: packed, then read by publint and attw.

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
}

const folder = mkdtempSync(join(tmpdir(), 'jobport-pack-'))
try {
  const packages = globSync('packages/*/package.json').map((file) => ({ path: dirname(file), ...read(file) }))
  const outcomes = await Promise.all(packages.filter((manifest) => !manifest.private).map(judge))
  process.exitCode = outcomes.every(Boolean) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}

async function judge({ name, version, path }: Manifest & { readonly path: string }): Promise<boolean> {
  const tarball = join(folder, `${name.slice(1).replace('/', '-')}-${version}.tgz`)
  return (
    (await step(`${name}: pack`, `npx -y pnpm@12 -C ${path} pack --pack-destination ${folder}`)) &&
    (await step(`${name}: publint`, `publint run --strict ${tarball}`)) &&
    (await step(`${name}: attw`, `attw --profile esm-only ${tarball}`))
  )
}

function read(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest
}
