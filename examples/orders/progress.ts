import { styleText } from 'node:util'
import cliProgress, { type SingleBar } from 'cli-progress'
import type { Ledger, Row } from './ledger.ts'

/** Where the demo tells its story, while the jobs of each kind come to their ends. */
export interface Progress {
  say(line: string): void
  stop(): void
}

/** Bars on a terminal, elsewhere a line a second. */
export function showProgress(ledger: Ledger): Progress {
  return process.stdout.isTTY ? bars(ledger) : lines(ledger)
}

function bars(ledger: Ledger): Progress {
  const format = `  {kind} ${styleText('cyan', '{bar}')} {value} of {total}`
  const screen = new cliProgress.MultiBar(
    { format, forceRedraw: true, gracefulExit: false, hideCursor: true },
    cliProgress.Presets.shades_classic,
  )
  const shown = new Map<string, SingleBar>()
  const draw = (): void => {
    for (const [kind, row] of ledger.rows()) {
      const bar = shown.get(kind) ?? screen.create(row.accepted, 0, { kind: kind.padEnd(11) })
      shown.set(kind, bar)
      bar.setTotal(row.accepted)
      bar.update(ended(row))
    }
  }
  const timer = setInterval(draw, 100)
  return {
    say: (line) => (shown.size === 0 ? console.log(line) : screen.log(`${line}\n`)),
    stop() {
      clearInterval(timer)
      draw()
      screen.stop()
    },
  }
}

function lines(ledger: Ledger): Progress {
  const tell = (): void => {
    const kinds = [...ledger.rows()].map(([kind, row]) => `${kind} ${ended(row)}/${row.accepted}`)
    if (kinds.length > 0) console.log(`  ${kinds.join('  ')}`)
  }
  const timer = setInterval(tell, 1_000)
  return {
    say: (line) => console.log(line),
    stop: () => clearInterval(timer),
  }
}

function ended({ completed, dead, removed }: Row): number {
  return completed + dead + removed
}
