export type { BrokerName, OpenOptions, RunningBroker, Way } from './broker.ts'
export { makeCertificates, type Certificates } from './certificates.ts'
export { openBroker } from './open.ts'
export { freePort } from './ports.ts'
