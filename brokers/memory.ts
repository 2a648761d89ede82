import { readFileSync } from 'node:fs'
import { serversAt } from './listener.ts'

/**
 * What the processes of the server at this port hold of this machine's memory, bytes; what they share counts once.
 * `undefined`: none can be seen there.
 */
export function memoryAt(port: number): number | undefined {
  const servers = serversAt(port)
  return servers.length === 0 ? undefined : servers.reduce((sum, { pid }) => sum + proportional(pid), 0)
}

function proportional(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))
  return pss ? Number(pss[1]) * 1_024 : 0
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
