import { ask } from './probe.ts'
import { findProgram, versionOf } from './programs.ts'
import type { Recipe, Settings } from './recipe.ts'

const OLDEST = 7

const SETTINGS: Settings = {
  save: '',
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
}

export const redis: Recipe = {
  name: 'redis',
  title: 'Redis',
  variable: 'REDIS_URL',
  usualPort: 6379,
  stopSignal: 'SIGTERM',
  url: (host, port) => `redis://${host}:${port}`,
  async answers(host, port, signal) {
    const reply = (await ask(host, port, 'PING\r\n', signal)).toString()
    return reply.startsWith('+PONG') || reply.startsWith('-NOAUTH')
  },
  async setFull(host, port, full, signal) {
    const reply = (await ask(host, port, `CONFIG SET maxmemory ${full ? 1 : 0}\r\n`, signal)).toString()
    if (!reply.startsWith('+OK')) throw new Error(`Redis did not change its maxmemory: ${reply}`)
  },
  container: {
    image: 'redis:8',
    port: 6379,
    environment: {},
    command: (settings) => ['redis-server', ...flags({ ...SETTINGS, 'protected-mode': 'no', ...settings })],
    ready: /Ready to accept connections/,
  },
  local: {
    packages: ['redis-server'],
    programs: ['usr/bin/redis-server', 'usr/bin/redis-cli'],
    install: ['apt-get install redis-server', 'brew install redis'],
    async find() {
      const folder = findProgram('redis-server')
      return folder && (await versionOf(`${folder}/redis-server`)) >= OLDEST ? folder : undefined
    },
    unprivileged: false,
    prepare: () => Promise.resolve(),
    command: ({ programs, data }, port, settings) => {
      const place = { bind: '127.0.0.1', port: String(port), dir: data }
      if (isSentinel(settings)) return sentinel(`${programs}/redis-server`, `${data}/sentinel.conf`, { ...place, ...settings })
      return [`${programs}/redis-server`, ...flags({ ...place, ...SETTINGS, ...settings })]
    },
    endSignal: 'SIGKILL',
  },
}

/** Settings such as `sentinel.monitor` make a Sentinel of it. */
function isSentinel(settings: Settings): boolean {
  return Object.keys(settings).some((name) => name.startsWith('sentinel.'))
}

/** It wants a file, which it rewrites. */
function sentinel(program: string, file: string, settings: Settings): string[] {
  const text = Object.entries(settings).map(([name, value]) => `${name.replace('.', ' ')} ${value}`)
  return [
    '/bin/sh',
    '-c',
    '[ -e "$2" ] || printf "%s\\n" "$1" > "$2"; exec "$3" "$2" --sentinel',
    'sh',
    text.join('\n'),
    file,
    program,
  ]
}

function flags(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
}
