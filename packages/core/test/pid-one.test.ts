import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'chai'

/** Of a start, and of an end, ms. */
const DEADLINE = 30_000

/** Its own listener is there once only: a second one would keep the signal from ending the process. */
const PROGRAM = `
import { connect } from '@jobport/core'
const broker = (await connect('memory://')).closeOn('SIGTERM', 'SIGINT')
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => console.log('signalled'))
broker.worker('endless', { run: () => new Promise(() => console.log('running')) })
await broker.queue('endless').add('run', 1)
`

/** Makes a process PID 1, as the program of a container is: the kernel ignores signals that it does not handle. */
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child']

interface Started {
  readonly child: ChildProcess
  /** Of the program, as seen from here. */
  readonly pid: number
  readonly lines: AsyncIterator<string>
}

describe('a second signal', function () {
  this.timeout(2 * DEADLINE)
  const signals = ['SIGTERM', 'SIGINT'] as const
  let running: ChildProcess | undefined

  afterEach(() => {
    running?.kill('SIGKILL')
  })

  for (const signal of signals) {
    const code = 128 + constants.signals[signal]

    it(`ends a process by ${signal}`, async () => {
      expect(await endOf(signal, await start(process.execPath, args(PROGRAM)))).to.deep.equal([null, signal])
    })

    it(`ends a process that ${signal} cannot end with code ${code}`, async () => {
      const deaf = `process.kill = () => true\n${PROGRAM}`
      expect(await endOf(signal, await start(process.execPath, args(deaf)))).to.deep.equal([code, null])
    })

    it(`ends PID 1 with code ${code} for ${signal}`, async function () {
      const why = refusal()
      if (why !== undefined) {
        console.log(`      not run, no process can be made PID 1 here: ${why}`)
        this.skip()
      }
      const started = await start('unshare', [...UNSHARE, process.execPath, ...args(PROGRAM)])
      const pid = Number(readFileSync(`/proc/${started.pid}/task/${started.pid}/children`, 'utf8'))
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).to.match(/^NSpid:\s+\d+(\s+\d+)*\s+1$/m)
      expect(await endOf(signal, { ...started, pid })).to.deep.equal([code, null])
    })
  }

  /** Once its job runs. */
  async function start(file: string, argv: readonly string[]): Promise<Started> {
    const child = spawn(file, argv, { cwd: resolve(import.meta.dirname, '../../..'), stdio: ['ignore', 'pipe', 'inherit'] })
    running = child
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).to.equal('running')
    return { child, pid: child.pid!, lines }
  }
})

/** After the first signal, which stops gracefully and waits for the job, comes the second. */
async function endOf(signal: NodeJS.Signals, { child, pid, lines }: Started): Promise<[number | null, NodeJS.Signals | null]> {
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(DEADLINE) })
  process.kill(pid, signal)
  expect((await lines.next()).value).to.equal('signalled')
  process.kill(pid, signal)
  return (await ended) as [number | null, NodeJS.Signals | null]
}

function args(program: string): string[] {
  return ['--input-type=module', '--eval', program]
}

/** Why not; absent: it can be done. */
function refusal(): string | undefined {
  if (process.platform !== 'linux') return 'Linux only'
  try {
    execFileSync('unshare', [...UNSHARE, 'true'], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
