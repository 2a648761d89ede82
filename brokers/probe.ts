import { once } from 'node:events'
import { createConnection } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** Sends `request` over a new connection and answers with the first bytes that come back. */
export async function ask(host: string, port: number, request: string | Uint8Array, signal: AbortSignal): Promise<Buffer> {
  const socket = createConnection({ host, port, noDelay: true })
  try {
    const reply = once(socket, 'data', { signal })
    socket.once('close', () => socket.emit('error', new Error('the connection was closed')))
    socket.write(request)
    const [bytes] = (await reply) as [Buffer]
    return bytes
  } finally {
    socket.removeAllListeners('close').on('error', ignore)
    socket.destroy()
  }
}

/** Sends `request`, ends, and answers with all that came back until the other side ended too. */
export async function converse(host: string, port: number, request: Uint8Array, signal: AbortSignal): Promise<Buffer> {
  const socket = createConnection({ host, port, noDelay: true, signal })
  socket.end(request)
  return buffer(socket)
}

/** Resolves once something accepts connections there. */
export async function reach(host: string, port: number, signal: AbortSignal): Promise<void> {
  const socket = createConnection({ host, port })
  try {
    await once(socket, 'connect', { signal })
  } finally {
    socket.on('error', ignore)
    socket.destroy()
  }
}

function ignore(): void {}
