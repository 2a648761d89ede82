import { connect } from 'node:net'
import type { Target } from './proxy.ts'

/** Of the brokers that Jobport knows, in case a URL names none. */
const PORTS: Readonly<Record<string, number>> = {
  redis: 6_379,
  rediss: 6_379,
  postgres: 5_432,
  postgresql: 5_432,
  amqp: 5_672,
  amqps: 5_671,
  nats: 4_222,
  'nats+tls': 4_222,
}

/** Where the broker at `url` listens. `undefined`: it has no wire that could be cut, as a database in a file. */
export function wireOf(url: string): Target | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, hostname, port } = new URL(url)
  const usual = PORTS[protocol.slice(0, -1)]
  if (hostname === '' || (port === '' && usual === undefined)) return undefined
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual! : Number(port) }
}

/** Whether anybody takes connections there. */
export function listens(wire: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(wire)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}
