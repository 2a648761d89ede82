import { spawn } from 'node:child_process'
import { once } from 'node:events'

// node scripts/with-broker.ts <program> [arguments]: that program of the suite, with the brokers of this repository to break, unless it is told of others.

const [program, ...given] = process.argv.slice(2)
const isTold = given.some((arg) => /^(-b|--broker)(=|$)/.test(arg))
const args = isTold ? given : ['--broker', 'scripts/breakable.ts', ...given]
const child = spawn(process.execPath, [program!, ...args], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code] = (await once(child, 'close')) as [number | null]
process.exitCode = code ?? 1
