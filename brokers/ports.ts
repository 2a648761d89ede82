import { once } from 'node:events'
import { createServer } from 'node:net'

// Below 32768 the system hands no port to a client. In its range, a client that knocks at a stopped broker's port
// may be given that very port, connect to itself, and keep the broker from coming back.
const FIRST = 20_000
const COUNT = 10_000
const TRIES = 50

/** Whoever got one needs seconds until it listens there. */
const given = new Set<number>()

/** Never the same twice in a process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error(`No free port from ${FIRST} to ${FIRST + COUNT - 1}`)
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer().unref()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
