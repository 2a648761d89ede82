import { ask } from './probe.ts'
import { findProgram, versionText } from './programs.ts'
import type { Recipe, Settings } from './recipe.ts'

/** The last release before it had a bug that loses what was scheduled. */
const OLDEST = [2, 12, 10] as const

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
  container: {
    image: 'nats:2.15',
    port: 4222,
    environment: {},
    command: (settings) =>
      run('nats-server', '/tmp/jobport.conf', { listen: '0.0.0.0:4222', 'jetstream.store_dir': '/data', ...settings }),
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
        ...settings,
      }),
    endSignal: 'SIGKILL',
  },
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
