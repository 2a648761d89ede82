import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { openBroker } from '@jobport/brokers'
import { readArguments, selected, wholeNumber } from './arguments.ts'
import { CERTIFIED, FOLDER, type Certified } from './certified.ts'

// What takes too long for every change: torture of all brokers, and certificates that take it in, into docs/certificates;
// an earlier version beside this one; then every saboteur with all chapters that it touches. Commit what it wrote, if all went well.

const USAGE = 'npm run nightly -- [--only redis,nats] [--torture 20] [--no-certificates] [--no-scale] [--no-saboteurs]'

const { values } = readArguments(USAGE, {
  options: {
    /** Stems or parts of them, with commas between. */
    only: { type: 'string' },
    /** Seeds for each broker; 0: none. */
    torture: { type: 'string', default: '20' },
    'no-certificates': { type: 'boolean', default: false },
    /** Certificates without the slow cases of scale: those end at `resilience`. */
    'no-scale': { type: 'boolean', default: false },
    'no-saboteurs': { type: 'boolean', default: false },
  },
})
const { only: parts } = values
const chosen = selected('--only', parts, CERTIFIED, ({ stem }) => stem)
const seeds = wholeNumber('--torture', values.torture, 0)

const failures: string[] = []
for (const broker of chosen) {
  if (broker.own && seeds > 0) await attempt(`torture of ${broker.title}`, () => torture(broker))
  if (!values['no-certificates']) await attempt(`certificate of ${broker.title}`, () => certify(broker))
}
if (!parts) await attempt('an earlier version beside this one', () => run('scripts/upgrade.ts'))
if (!values['no-saboteurs']) await attempt('saboteurs', sabotage)
await attempt('documents', () => run('scripts/features.ts'))
if (failures.length > 0) console.error(`Failed: ${failures.join(', ')}`)
process.exitCode = failures.length === 0 ? 0 : 1

/** In memory, and on a Redis those that memory cannot show. */
async function sabotage(): Promise<void> {
  const { options } = CERTIFIED.find(({ own }) => own === 'redis')!
  await using broker = await openBroker('redis', { own: true })
  await run('packages/conformance/dist/cli.js', `${broker.url}?${options}`, '--saboteurs')
}

/** Takes in what is stored of its torture. */
async function certify({ own, stem, options, settings = {} }: Certified): Promise<void> {
  if (!own) return run('packages/conformance/dist/cli.js', 'memory', '--out', FOLDER)
  await using broker = await openBroker(own, { own: true, settings })
  const tortured = tortureFile(stem)
  await run(
    'packages/conformance/dist/cli.js',
    `${broker.url}?${options}`,
    ...['--broker', 'scripts/breakable.ts', '--out', FOLDER, ...(values['no-scale'] ? ['--no-scale'] : [])],
    ...(existsSync(tortured) ? ['--torture', tortured] : []),
  )
}

function torture({ url, stem, tortureOptions: options = '' }: Certified): Promise<void> {
  return run(
    'packages/conformance/dist/torture/cli.js',
    `${url}?${options}`,
    ...['--broker', 'scripts/breakable.ts', '--seed', '1', '--seeds', String(seeds), '--json', tortureFile(stem)],
  )
}

function tortureFile(stem: string): string {
  return `${FOLDER}/${stem}.torture.json`
}

async function attempt(title: string, work: () => Promise<void>): Promise<void> {
  console.log(`== ${title}`)
  try {
    await work()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    failures.push(title)
  }
}

async function run(...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${String(code)}`)
}
