/** All that an adapter needs, as `@jobport/core/driver`. */
export type * from './driver.ts'
export { coalesceWrites } from './coalesce.ts'
export { decode, encode, ENVELOPE_VERSION, readMessage, unreadable } from './envelope.ts'
export { Lease } from './lease.ts'
export { JobportError, redact, type ErrorCode } from './errors.ts'
export { toJobError, type JobError } from './job-error.ts'
