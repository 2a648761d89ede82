import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findAccount } from './local.ts'
import { freePort } from './ports.ts'
import { findProgram, obtainPrograms } from './programs.ts'

const PROGRAM = 'pgbouncer'
const DEADLINE = 10_000

export interface Pooler extends AsyncDisposable {
  readonly url: string
  close(): Promise<void>
}

/** PgBouncer before the PostgreSQL at `url`, for any client. The system's own, else Debian's, which is fetched. */
export async function openPgBouncer(url: string, mode: 'session' | 'transaction'): Promise<Pooler> {
  const programs = await obtainPrograms({
    title: 'PgBouncer',
    local: {
      packages: [PROGRAM],
      programs: [`usr/sbin/${PROGRAM}`],
      unprivileged: true,
      find: () => Promise.resolve(findProgram(PROGRAM) ?? (existsSync(`/usr/sbin/${PROGRAM}`) ? '/usr/sbin' : undefined)),
    },
  })
  const { hostname, port, username, pathname } = new URL(url)
  const own = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'jobport-pgbouncer-'))
  chmodSync(folder, 0o755)
  const settings = join(folder, 'pgbouncer.ini')
  writeFileSync(
    settings,
    [
      '[databases]',
      `* = host=${hostname} port=${port || 5432} user=${username || 'postgres'}`,
      '[pgbouncer]',
      `listen_addr = 127.0.0.1\nlisten_port = ${own}\nunix_socket_dir =`,
      `auth_type = any\npool_mode = ${mode}\ndefault_pool_size = 20`,
    ].join('\n'),
  )
  const account = process.getuid?.() === 0 ? findAccount() : undefined
  const child = spawn(join(programs, PROGRAM), [settings], { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.on('data', (text: Buffer) => (log += text.toString()))
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
  for (const end = Date.now() + DEADLINE; !(await listens(own)); await pause(20)) {
    if (child.exitCode === null && Date.now() < end) continue
    await close()
    throw new Error(`PgBouncer does not listen\n${log}`)
  }
  return { url: `postgres://postgres@127.0.0.1:${own}${pathname}`, close, [Symbol.asyncDispose]: close }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false)).on('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
