import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

// Lays out an adapter elsewhere: it must compile and satisfy the linter, and its conformance test must run and be red, saying what is missing.

const NAME = 'kafka'
/** A case that fails at once when nothing connects. */
const CASE = 'LIFE-02'

const root = mkdtempSync(join(tmpdir(), 'jobport-scaffold-'))
try {
  mkdirSync(join(root, 'packages'))
  for (const name of ['core', 'conformance', 'adapter-memory'])
    symlinkSync(resolve('packages', name), join(root, 'packages', name))
  for (const file of ['tsconfig.base.json', 'package.json']) cpSync(file, join(root, file))
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'))
  await run('scripts/new-adapter.ts', NAME, '--root', root)
  const folder = join(root, 'packages', `adapter-${NAME}`)
  if (!readFileSync(join(root, 'package.json'), 'utf8').includes(`"@jobport/adapter-${NAME}": "workspace:*"`))
    throw new Error('the adapter was to become a dependency of the repository')
  mkdirSync(join(folder, 'node_modules', '@jobport'), { recursive: true })
  symlinkSync(folder, join(folder, 'node_modules', '@jobport', `adapter-${NAME}`))
  symlinkSync(resolve('packages/adapter-memory/node_modules/inversify'), join(folder, 'node_modules', 'inversify'))
  await run(resolve('node_modules/typescript/bin/tsc'), '-p', folder)
  await run(
    resolve('node_modules/oxlint/bin/oxlint'),
    '--config',
    resolve('oxlint.config.ts'),
    join(folder, 'src'),
    join(folder, 'test'),
  )
  const test = join(folder, 'test', 'conformance.test.ts')
  const { code, text } = await run(resolve('node_modules/mocha/bin/mocha.js'), '--grep', CASE, test).then(
    (done) => ({ code: 0, text: done }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, text: error.stdout + error.stderr }),
  )
  const isRed = code !== 0 && text.includes('1 failing') && text.includes(`${NAME}: connect to 127.0.0.1 is not written yet`)
  if (!isRed) throw new Error(`the conformance test of what was laid out was to be red, for nothing is written:\n${text}`)
} finally {
  rmSync(root, { recursive: true })
}

async function run(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  return stdout
}
