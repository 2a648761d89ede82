import { execFile } from 'node:child_process'

// Each program of the repository ends with a code and a line that helps when it is told what it does not know, and
// when a filter matches nothing: what does nothing must not look like a success.

const CERTIFY = 'packages/conformance/dist/cli.js'
const TORTURE = 'packages/conformance/dist/torture/cli.js memory:// --broker scripts/breakable.ts'

const MISTAKES: readonly (readonly [command: string, says: string])[] = [
  ['scripts/suite.ts --repeat none', '--repeat takes a whole number from 1'],
  ['scripts/suite.ts no-such.test.ts', 'no such test file: no-such.test.ts'],
  ['scripts/suite.ts --grep no-such-test packages/core/test/names.test.ts', 'no test was run'],
  ['scripts/features.ts --no-such', "'--no-such'"],
  ['scripts/certificates.ts --no-such', "'--no-such'"],
  ['scripts/nightly.ts --only redis,kafka', "'kafka' names none of memory, bullmq-redis"],
  ['scripts/nightly.ts --torture some', '--torture takes a whole number from 0'],
  ['scripts/histories.ts --sequences few', '--sequences takes a whole number from 1'],
  ['scripts/stress.ts --only memory', "'memory' names none of bullmq-redis"],
  ['scripts/upgrade.ts now', "'now'"],
  ['scripts/new-adapter.ts kafka --no-such', "'--no-such'"],
  ['brokers/cli.ts up kafka', 'Allowed choices are redis'],
  ['examples/all.ts orders', 'takes no arguments'],
  ['bench/cli.ts --only no-such-id', 'matches none of add-1, add-256'],
  ['bench/cli.ts --broker kafka', "'kafka' is none of memory, redis"],
  ['bench/cli.ts --module no-such.js', '--module needs one --broker'],
  ['bench/cli.ts --page --quick', 'cannot be used with'],
  [`${CERTIFY} memory --grep NOPE-1`, 'matches no case'],
  [`${CERTIFY} memory --seed now`, '--seed takes a whole number from 0'],
  [`${CERTIFY} memory --patience 0`, '--patience takes a number above 0'],
  [`${TORTURE} --seeds 0`, '--seeds takes a whole number from 1'],
  [`${TORTURE} --minutes long`, '--minutes takes a number above 0'],
]
/** Of one program, ms. */
const DEADLINE = 60_000

/** At once: all of them would leave nothing of the machine to others. */
const LANES = 2

const left = [...MISTAKES]
await Promise.all(
  Array.from({ length: LANES }, async () => {
    for (let mistake = left.shift(); mistake; mistake = left.shift()) await check(...mistake)
  }),
)

async function check(command: string, says: string): Promise<void> {
  const { code, output } = await ended(command)
  if (typeof code === 'number' && code > 0 && output.includes(says)) return
  console.error(`node ${command}\nwas to fail and to say "${says}"; it ended with ${String(code)} and said:\n${output}`)
  process.exitCode = 1
}

function ended(command: string): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, command.split(' '), { timeout: DEADLINE }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, output: stdout + stderr })
    })
  })
}
