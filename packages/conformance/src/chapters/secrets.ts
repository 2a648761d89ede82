import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { expect } from '../assert.ts'
import { pause } from '../wait.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

const DEADLINE = 2_000
/** In which a client that is refused may complain, ms. */
const COMPLAINTS = 1_500
/** Attempts to connect that are not in a tight loop, in that time. */
const TRIES = 100
/** Nobody listens there. */
const NOWHERE = '127.0.0.1:1'

/** What a password must not be found in. */
export const secrets: readonly Case[] = [
  {
    id: 'FLT-23',
    title: 'a wrong password, or a right one on a connection that breaks, is in no error, event or line of output',
    needs: 'durable',
    processes: true,
    wire: true,
    run: async (ctx) => {
      const secret = `canary-${randomBytes(8).toString('hex')}`
      const heard: unknown[] = []
      const output = overheard()
      try {
        const { proxy, url } = await ctx.proxy()
        const stranger = withCredentials(url, 'stranger', secret)
        const nobody = new URL(stranger)
        nobody.host = NOWHERE
        await use(ctx, stranger, heard)
        await use(ctx, nobody.href, heard)
        const familiar = new URL(url)
        // where no password is asked for, a wrong one is let in
        const open = withCredentials(url, familiar.username || 'default', secret)
        if (familiar.password === '') await use(ctx, open, heard, () => proxy.reset())
      } finally {
        heard.push(...output.end())
      }
      const complaints = heard.filter((each) => each instanceof Error)
      expect(complaints, 'errors of a broker that is not there').to.not.have.length(0)
      expect(complaints.length, `complaints: ${inspect(complaints.slice(0, 3))}`).to.be.below(TRIES)
      const found = heard.map((each) => inspect(each, { depth: 10, showHidden: true })).filter((text) => text.includes(secret))
      expect(found.map((text) => text.replaceAll(secret, '<the secret>')).slice(0, 3)).to.deep.equal([])
    },
  },
]

/** Whether it is let in or not, all that it has to say is heard. */
async function use({ harness, broker: open, queue: { name } }: Context, url: string, heard: unknown[], midway = (): void => {}) {
  const said = (value: unknown): void => void heard.push(value)
  const driver = harness.createDriver(url)
  const broker = open({ deadline: DEADLINE }, driver)
  broker.on('error', said)
  const queue = broker.queue(name)
  const worker = broker.worker(name, () => 1)
  worker.on('error', said)
  // what it answers while it is not let in is heard as an event
  worker.ready().catch(said)
  await broker.connect().catch(said)
  midway()
  await queue.add('a', 1).then(said, said)
  await queue.counts().then(said, said)
  await broker.health().then(said, said)
  await pause(COMPLAINTS)
  said(driver)
  said(broker)
  await broker.close({ timeout: 100 }).catch(said)
}

function withCredentials(url: string, username: string, password: string): string {
  const own = new URL(url)
  own.username = username
  own.password = password
  return own.href
}

/** What this process writes from now on, to its outputs and as warnings. */
function overheard(): { end(): string[] } {
  const lines: string[] = []
  const streams = [process.stdout, process.stderr]
  const warned = (warning: Error): void => void lines.push(inspect(warning))
  process.on('warning', warned)
  const originals = streams.map((stream) => {
    const { write } = stream
    stream.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
      lines.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
      return Reflect.apply(write, stream, [chunk, ...rest]) as boolean
    }
    return write
  })
  return {
    end: () => {
      process.off('warning', warned)
      for (const [i, stream] of streams.entries()) stream.write = originals[i]!
      return lines
    },
  }
}
