import { config } from 'chai'
import { patiently } from '@jobport/conformance'
import type { Context, RootHookObject } from 'mocha'

// what was expected and what was seen, in full
config.truncateThreshold = 0

/** Each test gets the time that this machine takes, whatever limit it was written with. */
export const mochaHooks: RootHookObject = {
  beforeEach(this: Context) {
    this.currentTest?.timeout(patiently(this.currentTest.timeout()))
  },
}
