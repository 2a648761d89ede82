import Mocha from 'mocha'

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** From when on a process whose tests have ended lingers, ms. */
const LINGERS = 5_000

/** Mocha's usual report; the counts go to the process that started this one. */
export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      process.send?.({ passed, failed, skipped } satisfies Tally)
      setTimeout(sayWhatIsOpen, LINGERS).unref()
    })
  }
}

function sayWhatIsOpen(): void {
  console.error(`Still open: ${process.getActiveResourcesInfo().join(', ')}`)
}
