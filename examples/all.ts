// Runs every example to its end, on memory and on each broker that REDIS_URL, POSTGRES_URL, RABBITMQ_URL and NATS_URL name.

import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'

const DEADLINE = 60_000

const [surplus] = process.argv.slice(2)
if (surplus !== undefined) {
  console.error(`npm run examples takes no arguments: '${surplus}'`)
  process.exit(2)
}

const { REDIS_URL, POSTGRES_URL, RABBITMQ_URL, NATS_URL } = process.env
const urls = ['memory://', REDIS_URL, POSTGRES_URL, RABBITMQ_URL, NATS_URL].filter((url) => url !== undefined)
const programs = globSync(['*/main.ts', 'systems/*.ts'], { cwd: import.meta.dirname, exclude: ['systems/idle.ts'] }).toSorted()

let failures = 0
for (const url of urls) for (const program of programs) failures += (await run(program, url)) ? 0 : 1
console.log(failures === 0 ? `All ${programs.length} examples ran to their end.` : `${failures} runs failed.`)
process.exitCode = failures === 0 ? 0 : 1

/** A line for each; of one that failed, all that it said. */
async function run(program: string, url: string): Promise<boolean> {
  const start = performance.now()
  const { code, output } = await ended(program, url)
  const seconds = ((performance.now() - start) / 1_000).toFixed(1)
  const broker = new URL(url).protocol.slice(0, -1)
  console.log(`${code === 0 ? '✓' : '✗'} ${program.padEnd(24)}${broker.padEnd(10)}${seconds.padStart(5)} s`)
  if (code !== 0) console.log(output)
  return code === 0
}

function ended(program: string, url: string): Promise<{ code: number | null; output: string }> {
  const options = {
    cwd: import.meta.dirname,
    env: { ...process.env, QUEUE_URL: url },
    timeout: DEADLINE,
    killSignal: 'SIGKILL',
  } as const
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, url], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr })
    })
  })
}
