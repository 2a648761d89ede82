import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { rollup } from 'rollup'
import webpack from 'webpack'
import { readArguments, refuse } from './arguments.ts'

// node scripts/bundles.ts <folder>: bundles programs that use the packages installed in that folder, and runs the bundles.

type Bundle = (entry: string, file: string) => Promise<unknown>

const ESBUILD = { bundle: true, platform: 'node', logLevel: 'error' } as const

/** By the file that each writes. */
const BUNDLERS: Readonly<Record<string, Bundle>> = {
  'webpack.cjs': pack,
  'esbuild.mjs': (entry, outfile) => build({ ...ESBUILD, entryPoints: [entry], outfile, format: 'esm' }),
  'esbuild.cjs': (entry, outfile) => build({ ...ESBUILD, entryPoints: [entry], outfile }),
  'rollup.mjs': async (input, file) => {
    const bundle = await rollup({ input, external: /^node:/, plugins: [nodeResolve()] })
    await bundle.write({ file, inlineDynamicImports: true })
    await bundle.close()
  },
}

const BY_URL = program('', "'memory://'")
const BY_DRIVER = program("import { createDriver } from '@jobport/adapter-memory'", "createDriver('memory://')")

const RAN = /^ran in a bundle\n$/
const HELP =
  /^ADAPTER_MISSING .*npm install @jobport\/adapter-memory .*import { createDriver } from '@jobport\/adapter-memory' .*connect\(createDriver\(url\)\)\n$/

const USAGE = 'node scripts/bundles.ts <folder>'
const { positionals } = readArguments(USAGE, { allowPositionals: true })
const [folder = refuse(`Usage: ${USAGE}`)] = positionals
/** Nothing is installed here. */
const bare = mkdtempSync(join(tmpdir(), 'jobport-bare-'))
try {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    const byUrl = await bundled(bundle, `by-url-${name}`, BY_URL)
    await expectOutput(`${name}: the adapter by URL, installed beside the bundle`, byUrl, RAN)
    await expectOutput(`${name}: the adapter by URL, with nothing beside the bundle`, moved(byUrl), HELP)
    const byDriver = await bundled(bundle, `by-driver-${name}`, BY_DRIVER)
    await expectOutput(`${name}: the adapter within the bundle`, moved(byDriver), RAN)
  }
} finally {
  rmSync(bare, { recursive: true })
}

/** Has a job run and ends by itself. */
function program(imports: string, config: string): string {
  return `${imports}
import { connect } from '@jobport/core'
async function main() {
  const broker = await connect(${config})
  const worker = broker.worker('bundled', { say: ({ data }) => console.log(data) })
  worker.on('completed', () => void broker.close())
  await broker.queue('bundled').add('say', 'ran in a bundle')
}
main().catch(({ code, message }) => console.log(code, message))
`
}

async function bundled(bundle: Bundle, name: string, text: string): Promise<string> {
  const entry = join(folder, `${name}.program.mjs`)
  writeFileSync(entry, text)
  mkdirSync(join(folder, 'bundles'), { recursive: true })
  const file = join(folder, 'bundles', name)
  await bundle(entry, file)
  return file
}

function moved(file: string): string {
  const elsewhere = join(bare, basename(file))
  copyFileSync(file, elsewhere)
  return elsewhere
}

async function expectOutput(title: string, file: string, expected: RegExp): Promise<void> {
  const env = { ...process.env, NODE_PATH: '' }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: bare, env, timeout: 30_000 })
  if (!expected.test(stdout) || stderr !== '')
    throw new Error(`${title}: it was to say ${expected.source} and said:\n${stdout}${stderr}`)
  console.log(title)
}

/** A warning counts: `the request of a dependency is an expression` is how an adapter gets lost. */
async function pack(entry: string, file: string): Promise<void> {
  const compiler = webpack({
    entry,
    target: 'node',
    mode: 'production',
    output: { path: join(file, '..'), filename: basename(file) },
  })
  const stats = await promisify(compiler.run.bind(compiler))()
  await promisify(compiler.close.bind(compiler))()
  if (!stats || stats.hasErrors() || stats.hasWarnings()) throw new Error(stats?.toString({ errorDetails: true }))
}
