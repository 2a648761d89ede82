import type { Broker, Worker } from '@jobport/core'
import type { Driver } from '@jobport/core/driver'
import type { QueueModel } from './queue-model.ts'

/** A connection of a history, with the worker that it has for each queue. */
export interface Link {
  readonly driver: Driver
  readonly broker: Broker
  readonly workers: Map<QueueModel, { readonly id: number; readonly worker: Worker }>
  isClosing: boolean
}
