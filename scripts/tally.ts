import Mocha from 'mocha'

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Mocha's usual report; the counts go to the process that started this one. */
export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      process.send?.({ passed, failed, skipped } satisfies Tally)
    })
  }
}
