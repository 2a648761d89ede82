import { setTimeout as sleep } from 'node:timers/promises'
import { JobportError } from '@jobport/core/driver'
import { Client } from './client.ts'
import { newToken } from '../src/token.ts'
import type { Ledger } from '../src/ledger/ledger.ts'

// node hammer.ts URL STREAM: adds, runs and removes jobs of few ids until told to stop, and says what the log confirmed
const [, , url, stream] = process.argv as [string, string, string, string]
export const SIZES = { retention: 4_000_000, segment: 400_000, snapshotEvery: 300 }

export type Said =
  | { readonly accepted: string }
  | { readonly ended: string }
  | { readonly removed: string }
  | { readonly stopped: true }

function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

async function add(ledger: Ledger): Promise<void> {
  const uid = crypto.randomUUID()
  const id = `id${Math.floor(Math.random() * 30)}`
  const { status } = await ledger.append({ type: 'claim', id, uid, copy: `${uid}-1`, seen: ledger.seen, body: 'the job' })
  if (status === 'accepted') say({ accepted: uid })
}

async function remove(ledger: Ledger): Promise<void> {
  const answer = await ledger.append({ type: 'remove', id: `id${Math.floor(Math.random() * 30)}` })
  if (answer.status === 'removed') say({ removed: answer.uid })
}

/** Takes any live job, whoever owns it, as if the broker had delivered it again. */
async function work(ledger: Ledger): Promise<void> {
  const { lives } = ledger.state.list(Math.random() < 0.2 ? 'active' : 'waiting', { limit: 30 })
  const life = lives[Math.floor(Math.random() * lives.length)]
  if (!life) return add(ledger)
  const { uid, copy } = life
  const verdict = await ledger.take({ uid, copy, tok: life.tok + 1, epoch: ledger.epoch }, { usable: () => true })
  if (verdict.type !== 'run') return
  await sleep(Math.random() * 5)
  const { run } = verdict
  const choice = Math.random()
  if (choice < 0.2) await ledger.append({ type: 'again', uid, run, copy: newToken(), attempt: verdict.life.attempt + 1 })
  else if (choice < 0.3) await ledger.append({ type: 'release', uid, run })
  else if ((await ledger.append({ type: 'end', uid, run })).status === 'ok') say({ ended: uid })
}

/** While the broker is away. */
function passUnconfirmed(error: unknown): void {
  if (!(error instanceof JobportError && ['UNCONFIRMED', 'UNAVAILABLE'].includes(error.code))) throw error
}

async function hammer(): Promise<void> {
  const client = new Client(url)
  const ledger = client.ledger(stream, SIZES)
  await ledger.start()
  const stopping = new AbortController()
  process.stdin.once('data', () => stopping.abort())
  const hand = async (): Promise<void> => {
    while (!stopping.signal.aborted)
      await [add, work, work, remove][Math.floor(Math.random() * 4)]!(ledger).catch(passUnconfirmed)
  }
  await Promise.all(Array.from({ length: 8 }, hand))
  await client.close()
  say({ stopped: true })
  process.stdin.destroy()
}

if (url !== undefined && import.meta.filename === process.argv[1]) await hammer()
