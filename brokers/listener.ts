import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { family, identify, type ProcessIdentity } from './processes.ts'

const LISTENING = '0A'

/**
 * The processes of the server that listens on this port of this machine, parents first. None: nobody listens there, in this
 * process's own sight, or the system is not Linux.
 */
export function serversAt(port: number): ProcessIdentity[] {
  const server = listener(port)
  const parent = server === undefined ? undefined : identify(server)
  return parent ? family(parent) : []
}

function listener(port: number): number | undefined {
  const socket = ['/proc/net/tcp', '/proc/net/tcp6'].map((table) => inodeOf(table, port)).find((inode) => inode !== undefined)
  if (socket === undefined) return undefined
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const pid = numbers.find((number) => holds(number, `socket:[${socket}]`))
  return pid === undefined ? undefined : Number(pid)
}

/** proc_pid_net(5): the second column is the local address in hexadecimal, the fourth the state, the tenth the inode. */
function inodeOf(table: string, port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = (read(table) ?? '').split('\n').map((line) => line.trim().split(/\s+/))
  return rows.find(([, local, , state]) => local?.endsWith(suffix) && state === LISTENING)?.[9]
}

function holds(pid: string, target: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === target
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
