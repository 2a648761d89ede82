import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { expect } from 'chai'
import { Broker, connect, createDriver } from '@jobport/core'
import type { Driver } from '@jobport/core/driver'
import { ScriptedDriver } from './scripted-driver.ts'

/** Nothing but what is installed where a program runs; ends one that does not end by itself. */
const run = (file: string, args: readonly string[], { cwd }: { readonly cwd: string }): Promise<{ stdout: string }> =>
  promisify(execFile)(file, args, { cwd, timeout: 50_000, env: { ...process.env, NODE_PATH: '' } })

/** A folder in which core is installed, with what it depends on and nothing else. */
async function installedAlone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobport-alone-'))
  const core = join(folder, 'node_modules/@jobport/core')
  for (const part of ['package.json', 'dist', 'node_modules/uuid']) {
    await cp(join(import.meta.dirname, '..', part), join(core, part), { recursive: true, dereference: true })
  }
  return folder
}

/** What a program in `folder` prints of a call to core. */
async function told(folder: string, call: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program(call)], { cwd: folder })
  return stdout.trimEnd()
}

function program(call: string): string {
  return `import { connect, createDriver } from '@jobport/core'
await ${call}.then(console.log, ({ code, message }) => console.log(code, message))`
}

const MISSING = `connect('nats://127.0.0.1')`

/** A package of an adapter, with one module. */
async function install(folder: string, adapter: string, module: string): Promise<string> {
  const name = `@jobport/adapter-${adapter}`
  const place = join(folder, 'node_modules', name)
  await mkdir(place, { recursive: true })
  await writeFile(join(place, 'package.json'), JSON.stringify({ name, type: 'module', exports: './index.js' }))
  await writeFile(join(place, 'index.js'), module)
  return place
}

describe('configuration', function () {
  // programs are started, also on a busy machine
  this.timeout(60_000)

  const refused = async (work: Promise<unknown>, code: string, text: string | RegExp): Promise<void> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).to.have.property('code', code)
    expect((error as Error).message).to.match(text instanceof RegExp ? text : new RegExp(text))
  }

  it('takes a driver as it is', async () => {
    const driver = new ScriptedDriver()
    expect(await createDriver(driver)).to.equal(driver)
  })

  it('refuses a contract that it does not know', async () => {
    const driver = Object.assign(new ScriptedDriver(), { contract: 2 }) as unknown as Driver
    await refused(createDriver(driver), 'INVALID_CONFIG', 'version 2')
  })

  it('names the schemes and adapters it knows', async () => {
    await refused(createDriver('kafka://k'), 'INVALID_CONFIG', 'redis://')
    await refused(createDriver('no url'), 'INVALID_CONFIG', 'amqp://')
    await refused(createDriver({ adapter: 'kafka' }), 'INVALID_CONFIG', 'bullmq, rabbitmq, nats, memory')
    await refused(createDriver({} as never), 'INVALID_CONFIG', 'adapter')
    await refused(createDriver(5 as never), 'INVALID_CONFIG', 'URL')
  })

  it('reads only the scheme of a URL, and hands its list of servers to the adapter as it is', async () => {
    const folder = await installedAlone()
    await install(folder, 'nats', 'export const createDriver = (config) => ({ contract: 1, publish() {}, name: config })')
    for (const list of ['nats://a:4222,b:4222', 'nats://u:p@a:4222,u2:p2@b:4222', 'nats://a:1,nats://b:2?x=1', 'NATS://A,b']) {
      expect(await told(folder, `createDriver('${list}').then(({ name }) => name)`)).to.equal(list)
    }
    await rm(folder, { recursive: true })
    await refused(createDriver('kafka://a:9092,b:9092'), 'INVALID_CONFIG', 'redis://')
  })

  it('refuses a URL that nobody can read without quoting it', async () => {
    for (const url of ['redis://u:canary@h:99999', 'memory://u:canary@a:1,b:2']) {
      const error = await createDriver(url).catch((thrown: unknown) => thrown)
      expect(error).to.have.property('code', 'INVALID_CONFIG')
      expect(inspect(error)).not.to.include('canary')
    }
  })

  it('says what to do when the adapter is missing, also in a bundle', async () => {
    const folder = await installedAlone()
    expect(await told(folder, MISSING)).to.match(
      /^ADAPTER_MISSING .*npm install @jobport\/adapter-nats .*import \{ createDriver \}.*connect\(createDriver\(url\)\)$/,
    )
    await rm(folder, { recursive: true })
  })

  it('finds an adapter that only the program can see, however the program was named', async () => {
    const [core, app] = await Promise.all([installedAlone(), mkdtemp(join(tmpdir(), 'jobport-app-'))])
    await mkdir(join(app, 'node_modules/@jobport'), { recursive: true })
    await symlink(join(core, 'node_modules/@jobport/core'), join(app, 'node_modules/@jobport/core'))
    await install(app, 'nats', 'export const createDriver = () => ({ contract: 1, publish() {}, name: "found" })')
    await writeFile(join(app, 'package.json'), '{ "type": "module", "main": "index.js" }')
    await writeFile(join(app, 'index.js'), program("createDriver('nats://h').then(({ name }) => name)"))
    await symlink(join(app, 'index.js'), join(core, 'link.js'))
    for (const named of [join(app, 'index.js'), app, join(core, 'link.js')]) {
      const { stdout } = await run(process.execPath, [named], { cwd: tmpdir() })
      expect(stdout, named).to.equal('found\n')
    }
    const { stdout } = await run(
      process.execPath,
      ['--input-type=module', '--eval', await readFile(join(app, 'index.js'), 'utf8'), 'arg'],
      { cwd: app },
    )
    expect(stdout, 'by the working directory').to.equal('found\n')
    await Promise.all([core, app].map((folder) => rm(folder, { recursive: true })))
  })

  it('tells an adapter that is incomplete from one that is missing', async () => {
    const folder = await installedAlone()
    const adapter = await install(folder, 'nats', 'import "@nats-io/absent"')
    expect(await told(folder, MISSING)).to.match(/^ADAPTER_MISSING .*is installed but incomplete: .*'@nats-io\/absent'/)
    await rm(join(adapter, 'index.js'))
    expect(await told(folder, MISSING)).to.match(/^ADAPTER_MISSING .*is installed but incomplete: .*index\.js/)
    await rm(folder, { recursive: true })
  })

  it('refuses an adapter that lacks a required feature, before it connects', async () => {
    await refused(connect(new ScriptedDriver(), { require: ['durable'] }), 'NOT_SUPPORTED', "scripted does not support 'durable'")
    expect(() => new Broker(new ScriptedDriver(), { require: ['speed' as never] }))
      .to.throw()
      .with.property('code', 'INVALID_ARGUMENT')
    expect(() => new Broker(new ScriptedDriver(), { timeout: 5 } as never)).to.throw("unknown option 'timeout'")
  })

  it('tries again after a failed connect, with one attempt at a time', async () => {
    const driver = new ScriptedDriver()
    let tries = 0
    driver.connect = async () => {
      if (++tries === 1) throw new Error('connection refused')
      return { server: 's', maxPayload: 10 }
    }
    const broker = new Broker(driver)
    await refused(broker.connect(), 'UNAVAILABLE', 'connection refused')
    await Promise.all([broker.queue('q').add('a', 1), broker.queue('r').add('a', 1)])
    expect(tries).to.equal(2)
    await broker.close()
    await refused(
      Promise.resolve().then(() => broker.queue('q')),
      'CLOSED',
      'closed',
    )
  })

  it('ends by the deadline when connecting hangs', async () => {
    const driver = new ScriptedDriver()
    driver.connect = () => new Promise(() => {})
    await refused(connect(driver, { deadline: 30 }), 'UNAVAILABLE', '30 ms')
  })
})
