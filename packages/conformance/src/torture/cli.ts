#!/usr/bin/env node
import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { JobportError } from '@jobport/core'
import { endSoon } from '../ending.ts'
import { adapterFor, breakingOf, harnessOf, visit, type Adapter } from '../adapter.ts'
import { summaryOf, tableOf, type Round } from './rounds.ts'
import { torture } from './torture.ts'
import { checkValues } from '../arguments.ts'
import type { Breakable } from '../breakable.ts'

interface Options {
  readonly broker: string
  readonly seed?: string
  readonly seeds: string
  readonly minutes: string
  readonly module?: string
  readonly json?: string
}

await new Command('jobport-torture')
  .description('Works a broker of its own while workers, network and broker are broken at random, and judges what came of it.')
  .argument('<url>', 'says which broker, and with its query which options; nothing happens to what stands at the URL itself')
  .requiredOption('-b, --broker <file>', 'a module that exports openBroker(url): a broker of that kind which may be broken')
  .option('-s, --seed <number>', 'repeats the jobs and blows of an earlier run')
  .option('-n, --seeds <count>', 'one run after the other, each with the next seed and a broker of its own', '1')
  .option('-t, --minutes <number>', 'how long each', '2')
  .option('-j, --json <file>', 'writes what came of it there, after each run')
  .option(
    '-m, --module <file>',
    "the adapter's module, which exports createDriver(url); default: the one that Jobport has for the URL",
  )
  .action(main)
  .hook('preAction', (command) => checkValues(command, { whole: { seed: 0, seeds: 1 }, positive: ['minutes'] }))
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error instanceof JobportError ? error.message : error)
    process.exitCode = 1
  })
endSoon()

async function main(url: string, options: Options): Promise<void> {
  const { broker, seed: text, seeds, minutes, module, json } = options
  const first = text === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(text)
  const adapter = await adapterFor(url, module)
  const { openBroker } = (await breakingOf(broker, url)).abilities
  if (!openBroker) throw new Error(`${broker} opens no broker that serves ${new URL(url).protocol}//`)
  const rounds: Round[] = []
  for (let seed = first; seed < first + Number(seeds); seed++) {
    const own = await openBroker()
    try {
      rounds.push(await round(adapter, url, own, seed, Number(minutes)))
    } finally {
      await own.close()
    }
    if (json !== undefined) await writeFile(json, `${JSON.stringify(summaryOf(rounds), undefined, 2)}\n`)
  }
  if (rounds.length > 1) console.log(tableOf(rounds))
  if (rounds.some(({ verdict }) => verdict.wrong.length > 0)) process.exitCode = 1
}

async function round(adapter: Adapter, url: string, own: Breakable, seed: number, minutes: number): Promise<Round> {
  const { server, driver } = await visit(adapter, own.url + new URL(url).search)
  console.log(`${server}, seed ${seed}, ${minutes} minutes`)
  const start = Date.now()
  const verdict = await torture(harnessOf(adapter, url, driver), own, {
    seed,
    minutes,
    onBlow: ({ blow, ms }) =>
      console.log(`${String(Date.now() - start).padStart(7)} ms  ${blow}${lasts(blow) ? `, ${ms} ms` : ''}`),
  })
  const { wrong, ...counts } = verdict
  console.log(counts)
  for (const { rule, uid, detail, story } of wrong.toSorted((a, b) => a.story.length - b.story.length).slice(0, 5))
    console.log([`${rule}: ${uid} ${detail}`, ...story].join('\n    '))
  console.log(wrong.length === 0 ? 'Nothing is wrong.' : `${wrong.length} wrong. Again: --seed ${seed}`)
  return { adapter: driver.name, server, url, seed, minutes, date: new Date(start).toISOString(), verdict }
}

function lasts(blow: string): boolean {
  return blow.startsWith('freeze') || blow.startsWith('slow')
}
