import type { Context, RootHookObject } from 'mocha'

/** What the suite has found a busy machine to need, a factor. */
const PATIENCE = Math.max(1, Number(process.env['JOBPORT_PATIENCE']) || 1)

/** Each test gets the time that this machine takes, whatever limit it was written with. */
export const mochaHooks: RootHookObject = {
  beforeEach(this: Context) {
    const { currentTest } = this
    if (currentTest && PATIENCE > 1) currentTest.timeout(currentTest.timeout() * PATIENCE)
  },
}
