import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Broker, connect, createDriver } from '@jobport/core'
import type { Driver } from '@jobport/core/driver'
import { ScriptedDriver } from './scripted-driver.ts'

const run = promisify(execFile)

/** A folder in which core is installed, with what it depends on and nothing else. */
async function installedAlone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobport-alone-'))
  const core = join(folder, 'node_modules/@jobport/core')
  for (const part of ['package.json', 'dist', 'node_modules/uuid']) {
    await cp(join(import.meta.dirname, '..', part), join(core, part), { recursive: true, dereference: true })
  }
  return folder
}

describe('configuration', () => {
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

  it('names the install command when the adapter is missing', async () => {
    const folder = await installedAlone()
    const program = `await (await import('@jobport/core')).connect('nats://127.0.0.1').catch(({ code, message }) => console.log(code, message))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder })
    await rm(folder, { recursive: true })
    expect(stdout).to.match(/^ADAPTER_MISSING .*npm install @jobport\/adapter-nats/)
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
