import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { ask, converse } from './probe.ts'
import { findProgram, versionOf } from './programs.ts'
import type { Place, Recipe, Settings } from './recipe.ts'

const OLDEST = 13
const DATABASE = 'jobport'

// The system keeps what was written when a process is killed: only a crash of the machine could tell fsync on from off.
const SETTINGS: Settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' }

export const postgres: Recipe = {
  name: 'postgres',
  title: 'PostgreSQL',
  variable: 'POSTGRES_URL',
  usualPort: 5432,
  stopSignal: 'SIGINT',
  url: (host, port) => `postgres://postgres@${host}:${port}/${DATABASE}`,
  async answers(host, port, signal) {
    const [type] = await ask(host, port, startup(), signal)
    return type === 'R'.charCodeAt(0)
  },
  /** It becomes read only, as hosted ones do when their disk is full; clients that are connected notice. */
  async setFull(host, port, full, signal) {
    const commands = [
      'SET default_transaction_read_only = off',
      `ALTER SYSTEM SET default_transaction_read_only = ${full ? 'on' : 'off'}`,
      'SELECT pg_reload_conf()',
    ]
    const queries = commands.map((command) => message('Q', `${command}\0`))
    const replies = await converse(host, port, Buffer.concat([startup(), ...queries, message('X', '')]), signal)
    if (replies.includes('ERROR')) throw new Error(`PostgreSQL did not change its mind: ${replies.toString('latin1')}`)
  },
  container: {
    image: 'postgres:18',
    port: 5432,
    environment: { POSTGRES_HOST_AUTH_METHOD: 'trust', POSTGRES_DB: DATABASE },
    command: (settings) => ['postgres', ...flags({ ...SETTINGS, ...settings })],
    ready: /database system is ready to accept connections/,
  },
  local: {
    packages: ['postgresql'],
    programs: ['usr/lib/postgresql/*/bin'],
    install: ['apt-get install postgresql', 'brew install postgresql'],
    async find() {
      const folders = globSync('/usr/lib/postgresql/*/bin/initdb').map((path) => dirname(path))
      for (const folder of [findProgram('initdb'), ...folders.toSorted().toReversed()]) {
        if (folder && (await versionOf(`${folder}/postgres`)) >= OLDEST) return folder
      }
      return undefined
    },
    unprivileged: true,
    async prepare(place) {
      await run(place, 'initdb', ['-D', place.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'])
      await run(place, 'postgres', ['--single', '-D', place.data, 'postgres'], `CREATE DATABASE ${DATABASE}\n`)
    },
    command: ({ programs, data }, port, settings) => [
      `${programs}/postgres`,
      ...['-D', data, '-p', String(port)],
      ...flags({ listen_addresses: '127.0.0.1', unix_socket_directories: '', ...SETTINGS, ...settings }),
    ],
    endSignal: 'SIGQUIT',
    /** Its lock file, which it removes when it ends in order, names a segment of shared memory. */
    discard(data) {
      const file = `${data}/postmaster.pid`
      const [, id] = existsSync(file) ? (readFileSync(file, 'utf8').split('\n')[6]?.trim().split(/\s+/) ?? []) : []
      if (id !== undefined) spawnSync('ipcrm', ['-m', id], { stdio: 'ignore' })
    },
  },
}

function flags(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The first message of a client, protocol 3.0. A server that is up replies `R`, one on its way up or down `E`. */
function startup(): Buffer {
  return message('', `\0\x03\0\0user\0postgres\0database\0${DATABASE}\0\0`)
}

function message(type: string, text: string): Buffer {
  const body = Buffer.from(text, 'latin1')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type, 'latin1'), length, body])
}

async function run({ programs, account }: Place, program: string, args: string[], input = ''): Promise<void> {
  const child = spawn(`${programs}/${program}`, args, { ...account, cwd: '/', stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.end(input)
  const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`${program} failed: ${complaint.trim()}`)
}
