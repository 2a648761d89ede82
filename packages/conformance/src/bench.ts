import { patiently } from './wait.ts'
import type { Runner } from './runner.ts'

/** Longest that a test may take before it is left behind, ms: what the suite's own waits take, and more. */
const PATIENCE = 90_000

/** A whole test runner: keeps what the suite registers, and runs it when told to. */
export class Bench implements Runner {
  readonly titles: string[] = []
  /** Titles of the tests that failed. */
  readonly failed: string[] = []
  readonly #tests: { readonly title: string; readonly body: () => Promise<void> }[] = []

  describe(title: string, body: () => void): void {
    this.titles.push(title)
    body()
  }

  it(title: string, body: (this: object) => Promise<void>): void {
    this.#tests.push({ title, body: () => body.call({}) })
  }

  after(): void {}

  /** One after the other. A test that never ends counts as failed. */
  async run(): Promise<void> {
    for (const { title, body } of this.#tests) {
      const passed = await Promise.race([
        body().then(
          () => true,
          () => false,
        ),
        patience(),
      ])
      if (!passed) this.failed.push(title)
    }
  }
}

function patience(): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, patiently(PATIENCE), false).unref())
}
