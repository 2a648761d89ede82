import { randomBytes } from 'node:crypto'
import { createDriver as byUrl } from '@jobport/core'
import type { Driver } from '@jobport/core/driver'
import { openVirtual } from '@jobport/adapter-memory'
import { openBroker } from '@jobport/brokers'
import { explore, type Explored } from '@jobport/conformance'
import { readArguments, selected, wholeNumber } from './arguments.ts'
import { CERTIFIED, type Certified } from './certified.ts'

// node scripts/histories.ts [--sequences 200] [--seed 7] [--only memory,redis]: plays histories drawn by chance on each broker and on
// the model of a queue, which must agree in all that a queue shows; in memory in virtual time.

/** Histories at once on a broker. */
const LANES = 12

const { values } = readArguments('node scripts/histories.ts [--sequences 200] [--seed 7] [--only memory,redis]', {
  options: {
    sequences: { type: 'string', default: '200' },
    seed: { type: 'string' },
    /** Stems or parts of them, with commas between. */
    only: { type: 'string' },
  },
})
const sequences = wholeNumber('--sequences', values.sequences, 1)
const seed = values.seed === undefined ? randomBytes(4).readUInt32LE() >>> 1 : wholeNumber('--seed', values.seed, 0)

for (const broker of selected('--only', values.only, CERTIFIED, ({ stem }) => stem)) {
  const start = performance.now()
  try {
    const { steps } = await (broker.own ? onBroker(broker) : inVirtualTime())
    const seconds = Math.round((performance.now() - start) / 1_000)
    console.log(`${broker.title}: ${sequences} histories of ${steps} steps agree, in ${seconds} s (seed ${seed})`)
  } catch (error) {
    console.error(`${broker.title}: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

function inVirtualTime(): Promise<Explored> {
  return explore({ ...openVirtual(), names: namesOf(1), seed, sequences })
}

async function onBroker({ own, options, settings = {} }: Certified): Promise<Explored> {
  await using broker = await openBroker(own!, { own: true, settings })
  const url = `${broker.url}?${options}`
  const { name } = await byUrl(url)
  const { createDriver } = (await import(`@jobport/adapter-${name}`)) as { createDriver: (url: string) => Driver }
  return await explore({ createDriver: () => createDriver(url), names: namesOf(LANES), seed, sequences })
}

function namesOf(lanes: number): (readonly [string, string])[] {
  return Array.from({ length: lanes }, (_, lane) => [`orders-${lane}`, `orders-${lane}-more`])
}
