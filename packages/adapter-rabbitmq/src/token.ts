import { randomFillSync } from 'node:crypto'

/** Bytes of a token, and what is drawn at a time: the system is asked rarely. */
const TOKEN = 9
const POOL = Buffer.alloc(TOKEN * 512)
let drawn = POOL.length

/** Names a physical message, a run, a life. */
export function newToken(): string {
  if (drawn === POOL.length) {
    randomFillSync(POOL)
    drawn = 0
  }
  return POOL.toString('base64url', drawn, (drawn += TOKEN))
}
