/** A broker that the suite may break. What `openBroker` of Jobport's own broker helper gives fits. */
export interface Breakable {
  readonly url: string
  /** Ends it in order; what it stored stays, and so does its port. */
  stop(): Promise<void>
  /** Has it run and serve requests, whatever it was before. */
  start(): Promise<void>
  restart(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Freezes it: connections stay open, nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Has it refuse whatever needs room, as one that is full does, until told otherwise. Absent: it cannot be brought to. */
  readonly setFull?: (full: boolean) => Promise<void>
  /** Leaves no room on its disk, until told otherwise. Absent: its disk is not its own. */
  readonly setDiskFull?: (full: boolean) => Promise<void>
  /** Ends it and removes what it stored. */
  close(): Promise<void>
}
