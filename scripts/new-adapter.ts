import { cpSync, existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readArguments } from './arguments.ts'

// Lays out the package of a new adapter, with the fixed file names and a conformance test that fails: npm run new-adapter -- kafka

const TEMPLATE = join(import.meta.dirname, '..', 'templates', 'adapter')

const { positionals, values } = readArguments('npm run new-adapter -- <broker>', {
  allowPositionals: true,
  options: {
    /** Default: this repository. */
    root: { type: 'string', default: join(import.meta.dirname, '..') },
  },
})
const [name] = positionals
const folder = join(values.root, 'packages', `adapter-${name}`)

if (positionals.length !== 1 || name === undefined || !/^[a-z][a-z0-9]*$/.test(name)) {
  fail('Which broker? npm run new-adapter -- kafka (one word, lower case)')
} else if (existsSync(folder)) {
  fail(`${relative('.', folder)} is there already`)
} else {
  layOut(name)
  link(`@jobport/adapter-${name}`)
  console.log(`${relative('.', folder)} is laid out. Now:

  npx -y pnpm@12 install
  add packages/adapter-${name} to tsconfig.build.json and tsconfig.check.json, and a line to scripts/test-files.ts
  npm test -- packages/adapter-${name}/test/conformance.test.ts      # red, until it is written

docs/new-adapter.md says what comes first.`)
}

function layOut(adapter: string): void {
  cpSync(TEMPLATE, folder, { recursive: true })
  for (const file of globSync('**/*', { cwd: folder }).map((path) => join(folder, path))) {
    if (statSync(file).isFile()) writeFileSync(file, named(readFileSync(file, 'utf8'), adapter))
  }
}

/** A dependency of the repository: otherwise `npm run certify`, which runs there, would not find it by its URL. */
function link(adapter: string): void {
  const file = join(values.root, 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { devDependencies: Record<string, string> }
  const entries = Object.entries({ ...manifest.devDependencies, [adapter]: 'workspace:*' })
  const devDependencies = Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(file, `${JSON.stringify({ ...manifest, devDependencies }, undefined, 2)}\n`)
}

function named(text: string, adapter: string): string {
  const title = adapter.charAt(0).toUpperCase() + adapter.slice(1)
  return text
    .replaceAll('an {@link Example', `a {@link ${title}`)
    .replaceAll('example', adapter)
    .replaceAll('Example', title)
    .replaceAll('EXAMPLE', adapter.toUpperCase())
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
