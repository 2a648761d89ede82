import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { openBroker } from '@jobport/brokers'
import { readArguments, selected, wholeNumber } from './arguments.ts'
import { CERTIFIED, type Certified } from './certified.ts'

// node scripts/stress.ts [--count 10] [--only redis,nats]: the whole suite that many times at once on one broker of each kind, but
// for what breaks a broker or has a hundred thousand jobs. Deadlines are five times as long: many processes share this machine.

const PATIENCE = '5'
const CASES = '^(?!FLT-|SCA-0[2-9])'

const { values } = readArguments('node scripts/stress.ts [--count 10] [--only redis,nats]', {
  options: { count: { type: 'string', default: '10' }, only: { type: 'string' } },
})
const count = wholeNumber('--count', values.count, 1)
const brokers = CERTIFIED.filter(({ own }) => own)
for (const certified of selected('--only', values.only, brokers, ({ stem }) => stem)) await stress(certified)

async function stress({ title, own, options, settings = {} }: Certified): Promise<void> {
  await using broker = await openBroker(own!, { own: true, settings })
  const start = performance.now()
  const runs = await Promise.all(Array.from({ length: count }, () => certify(`${broker.url}?${options}`)))
  const good = runs.filter(({ code }) => code === 0).length
  console.log(`${title}: ${good} of ${count} suites at once passed, in ${Math.round((performance.now() - start) / 1_000)} s`)
  for (const { code, report } of runs) if (code !== 0) console.log(report)
  if (good < count) process.exitCode = 1
}

async function certify(url: string): Promise<{ code: number; report: string }> {
  const args = [
    'packages/conformance/dist/cli.js',
    url,
    '--broker',
    'scripts/breakable.ts',
    '--grep',
    CASES,
    '--patience',
    PATIENCE,
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number, report: out + err }
}
