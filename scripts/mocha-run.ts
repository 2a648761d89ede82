import { fork } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Tally } from './tally.ts'

const MOCHA = 'node_modules/mocha/bin/mocha.js'

/** Longest run of one process on a machine that is not busy, and how long it may linger once its last test has ended, ms. */
const DEADLINE = 20 * 60_000
const LINGER = 10_000

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** Keep the report to print it in one piece: for a run beside another. */
  readonly hold: boolean
}

/** Runs mocha in a process of its own. One that crashes, hangs or does not end by itself counts as a failure. */
export async function runMocha(args: readonly string[], { env, signal, hold }: RunOptions): Promise<Tally> {
  const output = hold ? 'pipe' : 'inherit'
  const child = fork(MOCHA, ['--reporter', 'scripts/tally.ts', '--require', 'scripts/patient-tests.ts', ...args], {
    env,
    execArgv: [],
    stdio: ['ignore', output, output, 'ipc'],
  })
  const report = hold ? Promise.all([text(child.stdout!), text(child.stderr!)]) : undefined
  let tally: Tally | undefined
  let trouble: string | undefined
  const end = (reason: string): void => {
    trouble ??= reason
    child.kill('SIGKILL')
  }
  const stop = (): void => end('interrupted')
  const deadline = DEADLINE * Math.max(1, Number(env['JOBPORT_PATIENCE']) || 1)
  let timer = setTimeout(end, deadline, `not done after ${Math.round(deadline / 60_000)} minutes`)
  signal.addEventListener('abort', stop)
  child.once('message', (message) => {
    tally = message as Tally
    clearTimeout(timer)
    timer = setTimeout(end, LINGER, 'the tests have ended but their process has not: something was left open')
  })
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(timer)
  signal.removeEventListener('abort', stop)
  if (report) process.stdout.write((await report).join(''))
  if (!trouble && (!tally || (code !== 0 && tally.failures.length === 0))) trouble = `ended with ${killedBy ?? `code ${code}`}`
  const { passed, skipped, failures } = tally ?? { passed: 0, skipped: 0, failures: [] }
  return { passed, skipped, failures: trouble ? [...failures, `mocha ${args.join(' ')}: ${trouble}`] : failures }
}
