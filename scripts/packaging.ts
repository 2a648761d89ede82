import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { step } from './step.ts'

// Judges each public package by what would be published: packed, read by publint and attw; then the suite is installed
// elsewhere and certifies an adapter that lives there, and programs are bundled there.

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
}

/** An adapter of somebody else's, which core does not know. */
const TOY = `import { MemoryDriver } from '@jobport/adapter-memory'
export const createDriver = (url) => new MemoryDriver({ store: url })
`

const folder = mkdtempSync(join(tmpdir(), 'jobport-pack-'))
try {
  const packages = globSync('packages/*/package.json').map((file) => ({ path: dirname(file), ...read(file) }))
  const outcomes = await Promise.all(packages.filter((manifest) => !manifest.private).map(judge))
  process.exitCode = outcomes.every(Boolean) && (await worksElsewhere()) ? 0 : 1
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

async function worksElsewhere(): Promise<boolean> {
  const place = join(folder, 'elsewhere')
  mkdirSync(place)
  writeFileSync(join(place, 'package.json'), '{ "private": true, "type": "module" }')
  writeFileSync(join(place, 'toy.js'), TOY)
  const tarballs = globSync(['core', 'conformance', 'adapter-memory'].map((name) => join(folder, `jobport-${name}-*.tgz`)))
  return (
    (await step('elsewhere: install', `npm --prefix ${place} install --no-audit --no-fund ${tarballs.join(' ')}`)) &&
    (await step('elsewhere: certify', `cd ${place} && npx --no-install jobport-certify memory --module toy.js`)) &&
    (await step('elsewhere: bundles', `node scripts/bundles.ts ${place}`))
  )
}

function read(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest
}
