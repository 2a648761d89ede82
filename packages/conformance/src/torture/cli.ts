#!/usr/bin/env node
import { Command } from 'commander'
import { JobportError } from '@jobport/core'
import { adapterFor, harnessOf, opening, visit } from '../adapter.ts'
import { torture } from './torture.ts'

interface Options {
  readonly broker: string
  readonly seed?: string
  readonly minutes: string
  readonly module?: string
}

await new Command('jobport-torture')
  .description('Works a broker of its own while workers, network and broker are broken at random, and judges what came of it.')
  .argument('<url>', 'says which broker, and with its query which options; nothing happens to what stands at the URL itself')
  .requiredOption('-b, --broker <file>', 'a module that exports openBroker(url): a broker of that kind which may be broken')
  .option('-s, --seed <number>', 'repeats the jobs and blows of an earlier run')
  .option('-t, --minutes <number>', 'how long', '2')
  .option(
    '-m, --module <file>',
    "the adapter's module, which exports createDriver(url); default: the one that Jobport has for the URL",
  )
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error instanceof JobportError ? error.message : error)
    process.exitCode = 1
  })

async function main(url: string, { broker, seed: text, minutes, module }: Options): Promise<void> {
  const seed = text === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(text)
  const adapter = await adapterFor(url, module)
  const own = await (await opening(broker, url))()
  try {
    const { server, driver } = await visit(adapter, own.url + new URL(url).search)
    console.log(`${server}, seed ${seed}, ${minutes} minutes`)
    const start = Date.now()
    const { wrong, ...counts } = await torture(harnessOf(adapter, url, driver), own, {
      seed,
      minutes: Number(minutes),
      onBlow: ({ blow, ms }) =>
        console.log(`${String(Date.now() - start).padStart(7)} ms  ${blow}${lasts(blow) ? `, ${ms} ms` : ''}`),
    })
    console.log(counts)
    for (const { rule, uid, detail, story } of wrong.toSorted((a, b) => a.story.length - b.story.length).slice(0, 5))
      console.log([`${rule}: ${uid} ${detail}`, ...story].join('\n    '))
    console.log(wrong.length === 0 ? 'Nothing is wrong.' : `${wrong.length} wrong. Again: --seed ${seed}`)
    process.exitCode = wrong.length === 0 ? 0 : 1
  } finally {
    await own.close()
  }
}

function lasts(blow: string): boolean {
  return blow.startsWith('freeze') || blow.startsWith('slow')
}
