import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { obtainPrograms } from '../programs.ts'
import { recipes } from '../recipes.ts'
import { clientOf } from './client.ts'
import { rejection } from './rejection.ts'

const CLI = join(import.meta.dirname, '../cli.ts')

describe('npm run brokers', function () {
  this.timeout(60_000)
  let env: NodeJS.ProcessEnv

  /** A cache of its own, so that it meets no broker of a developer; the programs it finds on PATH. */
  before(async () => {
    const programs = await obtainPrograms(recipes.redis)
    env = {
      ...process.env,
      JOBPORT_CACHE: mkdtempSync(join(tmpdir(), 'jobport-cache-')),
      PATH: `${programs}${delimiter}${process.env['PATH']}`,
    }
  })

  after(async () => {
    await run('down')
    rmSync(env['JOBPORT_CACHE'] ?? '', { recursive: true })
  })

  it('brings a broker up that stays, tells its URL, and ends it', async () => {
    const up = await run('up', 'redis')
    const url = /redis:\/\/127\.0\.0\.1:\d+/.exec(up)?.[0] ?? ''
    const client = clientOf({ name: 'redis', url })
    await client.write('kept')

    expect(await run('env')).to.equal(`export REDIS_URL=${url}\n`)
    expect(await run('up', 'redis')).to.contain(url)
    expect(await client.read()).to.equal('kept')
    expect(await run('down')).to.contain(url)
    await rejection(client.read())
  })

  it('says so when there is nothing to print, and refuses names that it does not know', async () => {
    expect((await rejection(run('env'))).message).to.contain('No broker is up')
    expect((await rejection(run('up', 'kafka'))).message).to.contain('redis, postgres')
  })

  async function run(...args: string[]): Promise<string> {
    return (await promisify(execFile)(process.execPath, [CLI, ...args], { env })).stdout
  }
})
