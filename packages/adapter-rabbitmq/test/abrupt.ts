import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** `connection.open-ok`: a method frame of channel 0, class 10, method 41, with an empty argument. */
const OPEN_OK = Buffer.from([1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 41, 0, 0xce])
/** `connection.close` with the code 320, as a broker sends it that is being stopped. */
const CLOSE = Buffer.from([1, 0, 0, 0, 0, 0, 11, 0, 10, 0, 50, 1, 64, 0, 0, 0, 0, 0, 0xce])

/** Before a broker; lets it end the connections with these numbers, from 1, in the breath in which it opens them. */
export class Abrupt {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that were ended so. */
  ended = 0

  static async open(target: string, ending: ReadonlySet<number>): Promise<Abrupt> {
    const proxy = new Abrupt(new URL(target), ending)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor({ hostname, port }: URL, ending: ReadonlySet<number>) {
    let count = 0
    this.#server = createServer((client) => {
      const isEnding = ending.has(++count)
      const broker = createConnection({ host: hostname, port: Number(port) })
      for (const socket of [client, broker]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => [client, broker].forEach((each) => each.destroy()))
      }
      client.pipe(broker)
      broker.on('data', (data) => {
        const isOpening = isEnding && data.subarray(-OPEN_OK.length).equals(OPEN_OK)
        if (isOpening) this.ended++
        client.write(isOpening ? Buffer.concat([data, CLOSE]) : data)
      })
    })
  }

  get url(): string {
    return `amqp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}
