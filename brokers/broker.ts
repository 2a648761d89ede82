/** The brokers that can be opened. A new one: its own file beside redis.ts, and a line in recipes.ts. */
export type BrokerName = 'redis' | 'postgres' | 'rabbitmq' | 'nats'

/** Where a broker comes from; tried in this order. */
export type Way = 'environment' | 'container' | 'local'

export const WAYS: readonly Way[] = ['environment', 'container', 'local']

export interface OpenOptions {
  /** Makes one that belongs to the caller and can be controlled, even if the environment names one. */
  readonly own?: boolean
  /** Tries these only. */
  readonly ways?: readonly Way[]
  /** Of an own broker. Absent: a free one below the range that the system gives to clients. */
  readonly port?: number
  /** The server's own settings by their own names, over ours; they imply `own`. Redis: `{ appendfsync: 'always' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Gives a local one a disk of so many bytes, where this process may mount one: as root on Linux. Elsewhere it has no effect. */
  readonly disk?: number
}

/** A broker that answers requests. All it stored is gone once it is closed, if it is ours. */
export interface RunningBroker extends AsyncDisposable {
  readonly name: BrokerName
  readonly url: string
  readonly way: Way
  /** False: it came from the environment, `close` leaves it alone and every other method rejects. */
  readonly owned: boolean
  /** Ends it in order. What it stored stays, and so does its port. */
  stop(): Promise<void>
  /** Resolves once it serves requests. */
  start(): Promise<void>
  restart(): Promise<void>
  /** SIGKILL, to all its processes. */
  kill(): Promise<void>
  /** Freezes it: connections stay open, connecting still works, nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Has it refuse whatever needs room, as one that is full does, until told otherwise or restarted. Absent: it cannot be had. */
  readonly setFull?: (full: boolean) => Promise<void>
  /** Has one queue give no answer for so many ms, while all others do. Resolves once it is so. Absent: it cannot be had. */
  readonly stall?: (queue: string, ms: number) => Promise<void>
  /** Leaves no room on its disk, until told otherwise. Absent: it has no disk of its own, see `disk`. */
  readonly setDiskFull?: (full: boolean) => Promise<void>
  /** Ends it whatever its state and removes its data. Idempotent. */
  close(): Promise<void>
}
