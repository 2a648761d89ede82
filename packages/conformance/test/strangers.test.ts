import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { breakingOf } from '../src/adapter.ts'
import { certify } from '../src/certify.ts'
import { wireOf } from '../src/wire.ts'
import { clientsBeside, versionBeside } from '../src/versions.ts'
import { Bench } from '../src/bench.ts'
import { memory } from './memory.ts'

const PROGRAM = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const MEMORY = import.meta.resolve('@jobport/adapter-memory')

/** An adapter from elsewhere: what it is called, and what it leaves open. */
function moduleOf(extra: string): string {
  return `
    import { MemoryDriver } from ${JSON.stringify(MEMORY)}
    ${extra}
    const store = 'stranger'
    export const createDriver = () => Object.assign(new MemoryDriver({ store }), { name: 'lite' })
  `
}

describe('adapters from elsewhere', function () {
  this.timeout(120_000)
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobport-stranger-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** Runs the program there. */
  async function run(...args: readonly string[]): Promise<{ code: number; text: string }> {
    const done = promisify(execFile)(process.execPath, [PROGRAM, ...args], { cwd: folder, timeout: 90_000 })
    return done.then(
      ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
      (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, text: error.stdout + error.stderr }),
    )
  }

  it('are certified from a module that stands alone, without a package.json', async () => {
    await writeFile(join(folder, 'lite.mjs'), moduleOf(''))
    const { code, text } = await run('lite:///jobs.db', '--module', 'lite.mjs', '--grep', 'LIFE-02')
    expect(text).to.include('1 passing')
    expect(code).to.equal(0)
  })

  it('are asked for with --module where core does not know their scheme', async () => {
    const { code, text } = await run('lite:///jobs.db')
    expect(code).to.equal(1)
    expect(text).to.include('--module')
  })

  it('end with an error that says what they left open', async () => {
    await writeFile(join(folder, 'lite.mjs'), moduleOf('setInterval(() => {}, 1_000)'))
    const { code, text } = await run('lite:///jobs.db', '--module', 'lite.mjs', '--grep', 'LIFE-02')
    expect(code).to.equal(1)
    expect(text).to.include('1 passing').and.include('left open').and.include('Timeout')
  })

  it('have a version, or an unknown one, wherever their module lies', async () => {
    const module = pathToFileURL(join(folder, 'deep', 'lite.mjs')).href
    expect(versionBeside(module)).to.equal('unknown')
    expect(clientsBeside(module)).to.deep.equal({})
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'lite', version: '1.2.3' }))
    expect(versionBeside(module)).to.equal('1.2.3')
  })

  it('are given no broker to break by a module that serves others', async () => {
    const file = join(folder, 'own.mjs')
    await writeFile(file, "export const openBroker = () => {}\nexport const serves = (url) => url.startsWith('lite:')")
    expect((await breakingOf(file, 'lite:///a')).abilities).to.have.property('openBroker')
    expect((await breakingOf(file, 'heavy:///a')).abilities).to.deep.equal({})
  })

  it('have a wire where their URL names a port, or its scheme has one', () => {
    expect(wireOf('lite:///var/jobs.db')).to.equal(undefined)
    expect(wireOf('memory://store')).to.equal(undefined)
    expect(wireOf('redis://localhost')).to.deep.equal({ host: 'localhost', port: 6_379 })
    expect(wireOf('heavy://user:secret@[::1]:99/x?y=1')).to.deep.equal({ host: '::1', port: 99 })
    expect(wireOf('nats://a:4222,b:4222')).to.equal(undefined)
  })

  it('without a wire are excused from what cuts it', async () => {
    const bench = new Bench()
    const honest = memory()
    const harness = { ...honest, remote: { url: 'lite:///jobs.db', module: new URL(MEMORY) } }
    const durable = { ...honest.createDriver().features, durable: true }
    const createDriver = (): ReturnType<typeof honest.createDriver> =>
      Object.defineProperty(honest.createDriver(), 'features', { value: Object.freeze(durable) })
    const results = certify({ ...harness, createDriver }, { runner: bench, only: new Set(['FLT-12', 'DUP-10']) })
    await bench.run()
    for (const { status, reason } of results.all())
      expect({ status, reason }).to.deep.equal({ status: 'not applicable', reason: 'no wire to cut' })
    expect(results.all()).to.have.length(2)
  })
})
