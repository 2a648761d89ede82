export type { BrokerName, OpenOptions, RunningBroker, Way } from './broker.ts'
export { openBroker } from './open.ts'
