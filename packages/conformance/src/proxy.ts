import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface Target {
  readonly host: string
  readonly port: number
}

/** What happens at the n-th piece that a client sends. */
export interface Trap {
  /** From 1, counted from when the trap was set, over all connections. */
  readonly at: number
  /** Whether that piece still reaches the broker. */
  readonly forward: boolean
  readonly spring: () => void
}

/** A client's connection and the one made for it to the broker. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Whether nothing passes any more, unnoticed by either side. */
  silent: boolean
}

/** Stands between clients and a broker on this machine, and misbehaves on command. */
export class FaultProxy {
  readonly #target: Target
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #trap: Trap | undefined
  #pieces = 0
  #joined = 0
  #hole = false
  #delay = 0

  static async open(target: Target): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve, reject) => proxy.#server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: Target) {
    this.#target = target
    this.#server = createServer({ noDelay: true }, (client) => this.#join(client))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Pieces that clients have sent since the trap was set. */
  get pieces(): number {
    return this.#pieces
  }

  /** Connections that clients have opened to it. */
  get joined(): number {
    return this.#joined
  }

  set(trap: Trap): void {
    this.#trap = trap
    this.#pieces = 0
  }

  /** Swallows everything in both directions from now on: connections stay open, nothing arrives. */
  blackhole(): void {
    this.#hole = true
  }

  /** Swallows everything on the connections of this moment, as where a machine has lost its power; new ones work. */
  silence(): void {
    for (const pair of this.#pairs) pair.silent = true
  }

  /** Hands on each piece `ms` later, both ways. */
  slow(ms: number): void {
    this.#delay = ms
  }

  /** Lets everything through again; what hung is reset. */
  heal(): void {
    this.#hole = false
    this.#delay = 0
    this.#trap = undefined
    this.reset()
  }

  /** Cuts all connections with a RST. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      // Node cannot reset what is being shut down: the handle would never close, and the process spin instead of exiting
      if (client.writableEnded) client.destroy()
      else client.resetAndDestroy()
      server.destroy()
    }
    this.#pairs.clear()
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.reset()
    await closed
  }

  #join(client: Socket): void {
    this.#joined++
    const server = connect({ ...this.#target, noDelay: true })
    const pair: Pair = { client, server, silent: false }
    this.#pairs.add(pair)
    client.on('data', (piece) => this.#forward(piece, pair))
    server.on('data', (piece) => this.#pass(pair, () => client.write(piece)))
    for (const [here, there] of [
      [client, server],
      [server, client],
    ] as const) {
      here.on('error', () => this.#pass(pair, () => there.destroy()))
      here.on('close', () =>
        this.#pass(pair, () => {
          this.#pairs.delete(pair)
          there.destroy()
        }),
      )
    }
  }

  /** Silence hides even the end of one side from the other, which `reset` then still has to find. */
  #pass(pair: Pair, step: () => void): void {
    if (this.#hole || pair.silent) return
    if (this.#delay === 0) step()
    else setTimeout(step, this.#delay)
  }

  #forward(piece: Buffer, pair: Pair): void {
    this.#pieces++
    const sprung = this.#trap?.at === this.#pieces ? this.#trap : undefined
    if (!sprung || sprung.forward) this.#pass(pair, () => pair.server.write(piece))
    if (!sprung) return
    this.#hole = true
    sprung.spring()
  }
}
