import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

const ACCOUNT = 'account_info_response'

/** Before a server; loses what it first says of an account, as a cluster does that has no leader. */
export class Silent {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Answers that were lost. */
  lost = 0

  static async open(target: string, losing: number): Promise<Silent> {
    const silent = new Silent(new URL(target), losing)
    await new Promise<void>((resolve) => silent.#server.listen(0, '127.0.0.1', resolve))
    return silent
  }

  private constructor({ hostname, port }: URL, losing: number) {
    this.#server = createServer((client) => {
      const server = createConnection({ host: hostname, port: Number(port) })
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => [client, server].forEach((each) => each.destroy()))
      }
      client.pipe(server)
      server.on('data', (data) => {
        if (this.lost < losing && data.includes(ACCOUNT)) this.lost++
        else client.write(data)
      })
    })
  }

  get place(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
