/** The little that the suite needs of a test runner. Mocha's globals fit. */
export interface Runner {
  describe(title: string, body: () => void): void
  it(title: string, body: (this: TestContext) => Promise<void>): void
  after(body: () => Promise<void> | void): void
}

interface TestContext {
  timeout?(ms: number): unknown
}

/** The globals of mocha, vitest or jest. */
export function globalRunner(): Runner {
  const { describe, it, after, afterAll = after } = globalThis as unknown as Runner & { afterAll?: Runner['after'] }
  if (!describe || !it || !afterAll) throw new Error('certify needs a runner: call it from a mocha test file, or inject one')
  return { describe, it, after: afterAll }
}
