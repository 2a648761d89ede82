import { execFile } from 'node:child_process'
import { globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './ports.ts'
import { ask } from './probe.ts'
import { findProgram } from './programs.ts'
import type { Place, Recipe, Settings } from './recipe.ts'

const OLDEST = 4
/** It starts a virtual machine of its own, ms. */
const CONTROL_DEADLINE = 600_000
const CONTROL = join(import.meta.dirname, 'rabbitmq-control.sh')
const SERVER = join(import.meta.dirname, 'rabbitmq-server.sh')
/** Class 10, method 10: the server greets. */
const GREETING = Buffer.from([0, 10, 0, 10])

const SETTINGS: Settings = {
  'loopback_users.guest': 'false',
  'disk_free_limit.absolute': '50MB',
  'log.console': 'true',
  'log.file': 'false',
}

export const rabbitmq: Recipe = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  variable: 'RABBITMQ_URL',
  usualPort: 5672,
  stopSignal: 'SIGTERM',
  url: (host, port) => `amqp://${host}:${port}`,
  async answers(host, port, signal) {
    const greeting = await ask(host, port, Buffer.from('AMQP\0\0\x09\x01', 'latin1'), signal)
    return greeting.subarray(7, 11).equals(GREETING)
  },
  container: {
    image: 'rabbitmq:4-management',
    port: 5672,
    environment: {},
    command: (settings) => [
      'sh',
      '-c',
      'printf "%s\\n" "$@" > /etc/rabbitmq/conf.d/90-jobport.conf && exec docker-entrypoint.sh rabbitmq-server',
      'sh',
      ...lines({ ...SETTINGS, ...settings }),
    ],
    ready: /Server startup complete/,
  },
  local: {
    packages: ['rabbitmq-server'],
    programs: ['usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin', 'usr/lib/erlang'],
    install: ['apt-get install rabbitmq-server', 'brew install rabbitmq'],
    /** Debian's program on PATH is a wrapper that wants its own account; what it wraps lies here. */
    find() {
      const folders = [...globSync('/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin'), findProgram('rabbitmq-server') ?? '']
      return Promise.resolve(folders.find((folder) => versionIn(folder) >= OLDEST))
    },
    unprivileged: false,
    async prepare({ data }) {
      const ports = [await freePort(), await freePort(), await freePort()]
      writeFileSync(join(data, 'ports'), `${ports.join(' ')}\n`)
    },
    command: ({ programs, data }, port, settings) => [
      SERVER,
      programs,
      data,
      String(port),
      ...lines({ ...SETTINGS, ...settings }),
    ],
    /** An alarm: it holds back what publishers send. */
    setFull: (place, full) => control(place, 'set_vm_memory_high_watermark', ...(full ? ['absolute', '1'] : ['0.6'])),
    /** The leader of a quorum queue. */
    stall: (place, queue, ms) =>
      control(
        place,
        'eval',
        `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)),
         Leader = amqqueue:get_pid(Q),
         ok = sys:suspend(Leader),
         timer:apply_after(${ms}, sys, resume, [Leader]).`,
      ),
    endSignal: 'SIGQUIT',
  },
}

async function control({ programs, data }: Place, ...command: string[]): Promise<void> {
  await promisify(execFile)(CONTROL, [programs, data, ...command], { timeout: CONTROL_DEADLINE })
}

/** From paths such as `rabbitmq_server-4.3.6/sbin` and `rabbitmq/4.3.6/sbin`. */
function versionIn(folder: string): number {
  return Number(/rabbitmq(?:_server-|\/)(\d+)\./.exec(folder)?.[1] ?? 0)
}

function lines(settings: Settings): string[] {
  return Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
}
