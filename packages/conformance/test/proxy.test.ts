import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { FaultProxy } from '../src/proxy.ts'

describe('the fault proxy', function () {
  this.timeout(5_000)
  let broker: Server
  let proxy: FaultProxy

  beforeEach(async () => {
    broker = await listening((socket) => socket.on('error', () => {}).write('hello'))
    proxy = await FaultProxy.open({ host: '127.0.0.1', port: portOf(broker) })
  })

  afterEach(async () => {
    await proxy.close()
    broker.close()
  })

  it('leaves no socket open of a client that hangs up just before a reset', async () => {
    const before = openSockets()
    const bell = await listening((socket) => socket.on('data', () => proxy.reset()))
    const rope = connect(portOf(bell), '127.0.0.1')
    await once(rope, 'connect')
    const clients = await Promise.all(Array.from({ length: 50 }, greeted))
    // the end of each client and the ring arrive in one turn of the event loop
    for (const client of clients) client.end()
    await once(clients.at(-1)!, 'finish')
    rope.end('ring')
    await Promise.all(clients.filter(({ closed }) => !closed).map((client) => once(client, 'close')))
    await proxy.close()
    bell.close()
    broker.close()
    while (openSockets() > before) await turn()
  })

  async function greeted(): Promise<Socket> {
    const client = connect(proxy.port, '127.0.0.1')
    await once(
      client.on('error', () => {}),
      'data',
    )
    return client
  }
})

async function listening(join: (socket: Socket) => void): Promise<Server> {
  const server = createServer(join).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((type) => type === 'TCPSocketWrap').length
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
