import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

const BYTES = 16
/** Drawn at a time: the system is asked rarely. */
const POOL = Buffer.alloc(BYTES * 256)
let drawn = POOL.length

let last = 0
let sequence = 0

/** A UUID of version 7. Later ones of this process sort after earlier ones. */
export function newUid(): string {
  if (drawn === POOL.length) {
    randomFillSync(POOL)
    drawn = 0
  }
  const random = POOL.subarray(drawn, (drawn += BYTES))
  const now = Date.now()
  if (now > last) {
    last = now
    // half of the room is left to count on
    sequence = random.readUInt32BE(6) >>> 1
  } else {
    sequence++
  }
  return v7({ random, msecs: last, seq: sequence })
}
