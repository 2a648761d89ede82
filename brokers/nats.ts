import { jetstream, JetStreamApiError, jetstreamManager, StorageType, type JetStreamClient } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { ask } from './probe.ts'
import { findProgram, versionText } from './programs.ts'
import type { Recipe, Settings } from './recipe.ts'

/** The last release before it had a bug that loses what was scheduled. */
const OLDEST = [2, 12, 10] as const

/** All of its streams together. Room for any test, and little enough to be filled in a moment. */
const SETTINGS: Settings = { 'jetstream.max_file_store': '512MB' }
const BALLAST = 'jobport-ballast'

/** Writes the file that a server reads, and becomes the server. */
const SCRIPT = 'printf "%s\\n" "$1" > "$2" && shift 2 && exec "$@"'

export const nats: Recipe = {
  name: 'nats',
  title: 'NATS',
  variable: 'NATS_URL',
  usualPort: 4222,
  stopSignal: 'SIGTERM',
  url: (host, port) => `nats://${host}:${port}`,
  async answers(host, port, signal) {
    const greeting = (await ask(host, port, '', signal)).toString()
    return greeting.startsWith('INFO ') && greeting.includes('"jetstream":true')
  },
  /** A stream of its own takes all the room that there is. */
  async setFull(host, port, full) {
    const connection = await connect({ servers: `${host}:${port}` })
    try {
      const { streams } = await jetstreamManager(connection)
      if (full) {
        await streams.add({ name: BALLAST, subjects: [BALLAST], storage: StorageType.File })
        for (const size of [1_000_000, 10_000, 100]) await fill(jetstream(connection), size)
      } else await streams.delete(BALLAST)
    } finally {
      await connection.close()
    }
  },
  container: {
    image: 'nats:2.15',
    port: 4222,
    environment: {},
    command: (settings) =>
      run('nats-server', '/tmp/jobport.conf', {
        listen: '0.0.0.0:4222',
        'jetstream.store_dir': '/data',
        ...SETTINGS,
        ...settings,
      }),
    ready: /Server is ready/,
  },
  local: {
    packages: ['nats-server'],
    programs: ['usr/sbin/nats-server'],
    install: ['apt-get install nats-server', 'brew install nats-server'],
    async find() {
      const folder = findProgram('nats-server')
      return folder && isNewEnough(await versionText(`${folder}/nats-server`)) ? folder : undefined
    },
    unprivileged: false,
    prepare: () => Promise.resolve(),
    command: ({ programs, data }, port, settings) =>
      run(`${programs}/nats-server`, `${data}/server.conf`, {
        listen: `127.0.0.1:${port}`,
        'jetstream.store_dir': data,
        ...SETTINGS,
        ...settings,
      }),
    endSignal: 'SIGKILL',
  },
}

/** Until the server has no room for one more message of so many bytes. */
async function fill(client: JetStreamClient, size: number): Promise<void> {
  for (;;) {
    try {
      await client.publish(BALLAST, new Uint8Array(size))
    } catch (error) {
      if (error instanceof JetStreamApiError) return
      throw error
    }
  }
}

function run(program: string, file: string, settings: Settings): string[] {
  return ['/bin/sh', '-c', SCRIPT, 'sh', configuration(settings), file, program, '-c', file]
}

/** `{ 'jetstream.store_dir': '/data' }` is a block in the server's own language; values are written as they stand. */
function configuration(settings: Settings): string {
  const blocks = new Map<string, string[]>()
  for (const [name, value] of Object.entries(settings)) {
    const [block, key] = name.includes('.') ? (name.split('.', 2) as [string, string]) : ['', name]
    blocks.set(block, [...(blocks.get(block) ?? []), `${key}: ${value}`])
  }
  return [...blocks].map(([block, lines]) => (block === '' ? lines.join('\n') : `${block} {\n${lines.join('\n')}\n}`)).join('\n')
}

function isNewEnough(text: string): boolean {
  const version = (/v(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)
  const differing = OLDEST.findIndex((part, i) => version[i] !== part)
  return version.length > 0 && (differing < 0 || version[differing]! > OLDEST[differing]!)
}
