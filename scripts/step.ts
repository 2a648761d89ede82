import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** Runs a command line, then prints one line about it, and its output if it failed. Resolves with `true` if it succeeded. */
export async function step(title: string, command: string): Promise<boolean> {
  const start = performance.now()
  const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const good = code === 0
  const seconds = ((performance.now() - start) / 1_000).toFixed(1)
  console.log(`${good ? '✔' : '✖'} ${title} ${seconds} s${good ? '' : `: ${command}`}`)
  if (!good) console.log(`${out}${err}`.trimEnd())
  return good
}
