import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

/** A way to a broker that can be cut, or go silent in both directions while its connections stay open. */
export class WireCutter {
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>

  static async open(url: string): Promise<WireCutter> {
    const { hostname, port } = new URL(url)
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(Number(port), hostname)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
        from.pipe(to)
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new WireCutter(server, sockets)
  }

  private constructor(server: Server, sockets: Set<Socket>) {
    const address = server.address() as { port: number }
    this.url = `amqp://127.0.0.1:${address.port}`
    this.#server = server
    this.#sockets = sockets
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#sockets.size / 2
  }

  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }
}
