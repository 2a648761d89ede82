import { patiently } from '@jobport/conformance'
import type { Context, RootHookObject } from 'mocha'

/** Each test gets the time that this machine takes, whatever limit it was written with. */
export const mochaHooks: RootHookObject = {
  beforeEach(this: Context) {
    this.currentTest?.timeout(patiently(this.currentTest.timeout()))
  },
}
