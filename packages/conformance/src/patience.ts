import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What starting Node takes where the deadlines of the suite were chosen, ms. */
const USUAL = 150
const TRIES = 3
const MOST = 10

/** By what to multiply deadlines on this machine at this moment: by how much longer Node takes to start than usual, from 1 to 10. */
export async function measuredPatience(): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < TRIES; i++) times.push(await startUp())
  const median = times.toSorted((a, b) => a - b)[Math.floor(TRIES / 2)]!
  return Math.min(MOST, Math.max(1, Math.round((median / USUAL) * 10) / 10))
}

async function startUp(): Promise<number> {
  const start = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return performance.now() - start
}
