import Mocha from 'mocha'

export interface Tally {
  readonly passed: number
  readonly skipped: number
  /** What each failure says, whole. */
  readonly failures: readonly string[]
}

/** From when on a process whose tests have ended lingers, ms. */
const LINGERS = 5_000

/** Mocha's usual report; the counts go to the process that started this one. */
export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const failures: string[] = []
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error: Error) => {
      failures.push(`${test.titlePath().join(' › ')}\n${error.stack ?? error.message}`)
    })
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes: passed, pending: skipped } = this.stats
      process.send?.({ passed, skipped, failures } satisfies Tally)
      setTimeout(sayWhatIsOpen, LINGERS).unref()
    })
  }
}

function sayWhatIsOpen(): void {
  console.error(`Still open: ${process.getActiveResourcesInfo().join(', ')}`)
}
