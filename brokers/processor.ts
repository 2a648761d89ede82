import { readFileSync } from 'node:fs'
import { serversAt } from './listener.ts'

/** Linux counts in hundredths of a second, whatever the kernel's own clock. */
const TICK = 10

/** How long the processors have worked for the server at this port, ms. `undefined`: none can be seen there. */
export function processorTimeAt(port: number): number | undefined {
  const servers = serversAt(port)
  return servers.length === 0 ? undefined : servers.reduce((sum, { pid }) => sum + used(pid), 0)
}

/** proc_pid_stat(5): the fields 14 and 15, counted from the first, which is followed by a name in brackets. */
function used(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return 0
  }
}
