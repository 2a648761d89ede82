import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Before a server; says of it to the first client that it takes a thousand times as much, as one did whose limit was lowered since. */
export class Boaster {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #told = 0

  static async open(target: string): Promise<Boaster> {
    const boaster = new Boaster(new URL(target))
    await new Promise<void>((resolve) => boaster.#server.listen(0, '127.0.0.1', resolve))
    return boaster
  }

  private constructor({ hostname, port }: URL) {
    this.#server = createServer((client) => {
      const server = createConnection({ host: hostname, port: Number(port) })
      const boasts = this.#told++ === 0
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => [client, server].forEach((each) => each.destroy()))
      }
      client.pipe(server)
      server.on('data', (data) =>
        client.write(boasts ? data.toString('latin1').replace(/("max_payload":\d+)/, '$1000') : data, 'latin1'),
      )
    })
  }

  /** Connections so far. */
  get told(): number {
    return this.#told
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
