import type { Redis } from 'ioredis'

/** ms. */
const LOOK = 1_000
/** Looks without a byte from the server, until it is asked whether it is there. */
const PATIENCE = 5
/** And until its connection counts as dead. */
const MOST = 15

/**
 * Ends connections of the client whose server says nothing for 15 s. What ioredis has for that, `socketTimeout`, costs a
 * timer and a listener for each command. Looks are counted, not time: one that comes late, because the process was busy,
 * is no sign of silence.
 */
export function endSilentConnections(client: Redis): void {
  client.on('connect', () => {
    const { stream } = client
    let read = stream.bytesRead
    let silent = 0
    const look = (): void => {
      silent = stream.bytesRead === read ? silent + 1 : 0
      read = stream.bytesRead
      if (silent === PATIENCE && client.status === 'ready') client.ping().catch(() => {})
      if (silent === MOST) stream.destroy(new Error(`the server has said nothing for ${(MOST * LOOK) / 1_000} s`))
    }
    const timer = setInterval(look, LOOK).unref()
    stream.once('close', () => clearInterval(timer))
  })
}
