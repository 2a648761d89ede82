import { mkdir, writeFile } from 'node:fs/promises'
import { KINDS, TITLES } from './arenas.ts'
import { growthOf } from './growth.ts'
import { plotGrowth, plotRatios } from './plot.ts'
import { tableOf } from './table.ts'
import type { Results } from './results.ts'

const DOCS = new URL('../docs/', import.meta.url)

/** docs/performance.md and its plots. */
export async function writePage(results: Results): Promise<void> {
  const { date, revision, quick, machine, versions, ms } = results
  const folder = new URL('performance/', DOCS)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL('ratios.svg', folder), await plotRatios(results))
  await writeFile(new URL('growth.svg', folder), await plotGrowth(results))
  const kinds = KINDS.filter((kind) => results.rows.some(({ broker }) => broker === kind))
  const left = KINDS.filter((kind) => !kinds.includes(kind)).map((kind) => TITLES[kind])
  const software = Object.entries(versions).map(([name, version]) => (version.includes(' ') ? version : `${name} ${version}`))
  const sections = kinds.map((kind) => `## ${TITLES[kind]}\n\n${tableOf(results, kind)}`)
  await writeFile(
    new URL('performance.md', DOCS),
    `# How fast it is

Written by \`npm run bench -- --page\` from one run of \`npm run bench${quick ? ' -- --quick' : ''}\`, which took ${Math.round(ms / 60_000)} minutes on
${date.slice(0, 10)}: ${revision.includes(',') ? 'revisions' : 'revision'} ${revision}, ${machine.system}, ${machine.cpus} CPUs (${machine.model}),
${Math.round(machine.memory / 2 ** 30)} GiB; ${[...new Set(software)].join(', ')}. Server, producers and workers share that machine.${left.length > 0 ? ` Not measured in this run: ${left.join(', ')}.` : ''}

Each workload runs on Jobport, on the raw client of the broker doing the same work at the same durability (confirmed publishes,
acknowledged consumption), and on peers, one after the other and then in the opposite order, on new queues each time. A figure is the
median of the rounds; a ratio is the median of the ratios of pairs, with the lowest and the highest. The ratio, and not the figure, is what
another machine would show again. Above 1 is better, also where the unit is a time. What a contender does not have is absent, not zero; who
failed or hung says so.

Peers are set up for throughput, as their documentation advises. They do not promise the same: pg-boss fetches and acknowledges batches as
large as the concurrency, and where that is 1 it looks twice a second; rascal, which publishes one message at a time on a channel, has 64 of
them; ioredis streams have no lock, no retry and no order of priority; \`@moleculer/channels\` does not wait for its acknowledgements on
NATS, and on RabbitMQ not for confirms either, so that it takes no part there.

![Ratio to the raw client](performance/ratios.svg)

![Cost of a step by backlog](performance/growth.svg)

What a step costs with 1,000,000 jobs waiting, of what it costs with 10,000:

${growthOf(results)}

${sections.join('\n\n')}

## To see it yourself

\`\`\`sh
npm run bench -- --quick                                # the main workloads, minutes
npm run bench                                           # all of it, about an hour on 2 cores
npm run bench -- --broker rabbitmq --only work          # part of it
npm run bench -- --broker redis://127.0.0.1:6379        # on a server that runs
npm run bench -- --module dist/index.js --broker <url>  # an adapter of yours
npm run bench -- --compare earlier.json later.json      # what changed beyond the noise
\`\`\`
`,
  )
}
