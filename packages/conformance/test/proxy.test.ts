import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { FaultProxy } from '../src/proxy.ts'

describe('the fault proxy', function () {
  this.timeout(5_000)
  let broker: Server
  let proxy: FaultProxy

  beforeEach(async () => {
    broker = createServer((socket) => {
      socket.on('error', () => {})
      // more than the buffers between it and a client that does not read
      socket.write(Buffer.alloc(32 * 1024 * 1024))
    })
    broker.listen(0, '127.0.0.1')
    await once(broker, 'listening')
    proxy = await FaultProxy.open({ host: '127.0.0.1', port: (broker.address() as AddressInfo).port })
  })

  afterEach(() => broker.close())

  it('closes while a client that has hung up has not read what it was sent', async () => {
    const client = await receiving()
    client.end()
    await once(client, 'finish')
    // by the time that a later connection is served, the proxy has seen the end of the first
    const later = await receiving()
    await proxy.close()
    client.destroy()
    later.destroy()
  })

  async function receiving(): Promise<Socket> {
    const client = connect(proxy.port, '127.0.0.1')
    client.on('error', () => {})
    await once(client, 'readable')
    return client
  }
})
