import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openBroker } from '@jobport/brokers'
import { haveEnded, type ProcessIdentity } from '../processes.ts'
import { readStates, sweep, type BrokerState } from '../state.ts'
import { controlled } from './control.ts'
import { rejection } from './rejection.ts'

controlled('redis', 'local')
controlled('postgres', 'local')
controlled('rabbitmq', 'local')
controlled('nats', 'local')

describe('local brokers', function () {
  this.timeout(60_000)

  it('opens with the port that was asked for', async () => {
    await using first = await openBroker('redis', { ways: ['local'] })
    const port = Number(new URL(first.url).port)
    await first.close()
    await using second = await openBroker('redis', { ways: ['local'], port })
    expect(second.url).to.equal(first.url)
  })

  it('says what the server says, if it does not come up', async () => {
    const error = await rejection(openBroker('redis', { ways: ['local'], settings: { appendfsync: 'sometimes' } }))
    expect(error.message).to.contain('appendfsync')
    expect(statesOf(process.pid)).to.deep.equal([])
  })

  for (const name of ['redis', 'postgres', 'rabbitmq', 'nats'] as const) {
    it(`leaves no ${name} behind when its process exits without closing it`, async () => {
      const { state, end } = await openElsewhere(name)
      end('exit')
      await expectGone(state)
    })

    it(`leaves no ${name} behind when its process is ended by a signal`, async () => {
      const { state, end } = await openElsewhere(name)
      end('SIGTERM')
      await expectGone(state)
    })

    it(`ends the ${name} that a killed process left behind`, async () => {
      const { state, end, ended } = await openElsewhere(name)
      end('SIGKILL')
      await ended
      expect(await haveEnded([processOf(state)], 0)).to.equal(false)
      await sweep()
      await expectGone(state)
    })
  }

  it('names what helps, when there is no way to a broker', async () => {
    const { PATH, REDIS_URL, JOBPORT_CACHE } = process.env
    const cache = mkdtempSync(join(tmpdir(), 'jobport-cache-'))
    Object.assign(process.env, { PATH: '', REDIS_URL: '', JOBPORT_CACHE: cache })
    try {
      const { message } = await rejection(openBroker('redis', { ways: ['environment', 'local'] }))
      expect(message.split('\n').slice(0, 3)).to.deep.equal([
        'No Redis to be had.',
        '  environment: REDIS_URL is not set',
        '  local: Redis is not installed, and without apt-get and dpkg-deb it cannot be fetched',
      ])
      expect(message).to.contain('export REDIS_URL=redis://127.0.0.1:6379')
      expect(message).to.contain('docker pull redis:8')
      expect(message).to.contain('apt-get install redis-server')
    } finally {
      restore({ PATH, REDIS_URL, JOBPORT_CACHE })
      rmSync(cache, { recursive: true })
    }
  })
})

interface Elsewhere {
  readonly state: BrokerState
  readonly ended: Promise<unknown>
  end(how: 'exit' | NodeJS.Signals): void
}

async function openElsewhere(name: string): Promise<Elsewhere> {
  const child = fork(join(import.meta.dirname, 'opens.ts'), [name])
  const ended = once(child, 'exit')
  await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Error('it ended before its broker was up')))])
  const [state] = statesOf(child.pid)
  if (!state) throw new Error('no state was written')
  return { state, ended, end: (how) => void (how === 'exit' ? child.send('exit') : child.kill(how)) }
}

async function expectGone(state: BrokerState): Promise<void> {
  expect(await haveEnded([state.owner, processOf(state)], 10_000)).to.equal(true)
  // another process that opens a broker may be sweeping the same
  const end = performance.now() + 10_000
  const isThere = (): boolean => existsSync(state.folder ?? '') || statesOf(state.owner.pid).length > 0
  while (isThere() && performance.now() < end) await delay(20)
  expect(existsSync(state.folder ?? '')).to.equal(false)
  expect(statesOf(state.owner.pid)).to.deep.equal([])
}

function processOf(state: BrokerState): ProcessIdentity {
  if (!state.process) throw new Error('no process was recorded')
  return state.process
}

function statesOf(pid: number | undefined): BrokerState[] {
  return readStates().flatMap(({ state }) => (state.owner.pid === pid ? [state] : []))
}

function restore(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
