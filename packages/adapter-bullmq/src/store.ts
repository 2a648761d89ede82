import type { DriverListener, ServerInfo } from '@jobport/core/driver'
import type { IQueueBackend, Queue } from 'bullmq'
import type { Attend, Leases, LeaseWorker } from './lease-worker.ts'
import type { Ledger } from './ledger.ts'

export type NativeQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend>

/** What a consumer works with. */
export interface Subscription {
  readonly worker: LeaseWorker
  /** Its writes come before those of the worker that are made after them. */
  readonly ledger: Ledger
  /** A round trip on the connection that the worker settles on. */
  readonly ping: () => Promise<unknown>
  /** It takes no more jobs, and is to be counted no more. On Redis its connection tells that by its end. */
  readonly leave: () => Promise<void>
  readonly spare: () => Leases
}

/** Redis or PostgreSQL: connections, and what BullMQ needs to use them. */
export interface Store {
  /** As {@link Driver.connect}. */
  connect(listener: DriverListener): Promise<ServerInfo>
  readonly isConnected: boolean
  /** For producers and administration: fails at once while disconnected. */
  queue(name: string): NativeQueue
  ledger(name: string): Ledger
  subscribe(queue: string, attend: Attend, concurrency: number): Subscription
  close(): Promise<void>
}
