import { randomUUID } from 'node:crypto'
import { adapterFor } from '../adapter.ts'
import { measuredPatience } from '../patience.ts'
import { setPatience } from '../wait.ts'
import { spoiledHarness } from './spoiled.ts'
import { trySaboteurs } from './trial.ts'

/**
 * Tries every saboteur and says which case caught it: in memory, and on the broker at `url` those that need processes or a wire.
 * Ends the process, with 1 if one escapes.
 */
export async function trySuite(url: string | undefined, say: (line: string) => void): Promise<void> {
  setPatience(await measuredPatience())
  const { createDriver } = await adapterFor('memory://saboteurs', undefined)
  const adapter = url === undefined ? undefined : await adapterFor(url, undefined)
  const { verdicts, unproven, untried } = await trySaboteurs(
    ({ wrap, name, needs }) => {
      if (needs) return adapter && spoiledHarness(name, adapter.module, url!)
      const store = `memory://${randomUUID()}`
      return { name: 'memory', createDriver: () => wrap(createDriver(store)) }
    },
    ({ saboteur: { name, caughtBy }, caught, red }) =>
      say(`${caught ? 'caught ' : 'ESCAPED'} ${name}: ${caughtBy}${also(red.filter((id) => id !== caughtBy))}`),
  )
  const escaped = verdicts.filter(({ caught }) => !caught).length
  say(`\nUnproven, for no saboteur turned them red: ${unproven.join(', ')}`)
  if (untried.length > 0)
    say(`Not tried, for they need a broker (--saboteurs redis://…): ${untried.map(({ name }) => name).join('; ')}`)
  say(`${verdicts.length - escaped} caught, ${escaped} escaped, ${untried.length} not tried`)
  // saboteurs leave things open
  process.exit(escaped > 0 ? 1 : 0)
}

function also(ids: readonly string[]): string {
  return ids.length === 0 ? '' : `, and ${ids.join(' ')}`
}
