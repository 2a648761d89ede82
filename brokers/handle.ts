/** What one of the ways can do with the broker that it made. Nothing here waits for the broker to serve requests. */
export interface Handle {
  readonly url: string
  readonly host: string
  readonly port: number
  start(): Promise<void>
  /** In order; resolves once it has ended. */
  stop(): Promise<void>
  kill(): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  /** Absent: none of its programs can. */
  readonly setFull?: (full: boolean) => Promise<void>
  /** Absent: none of its programs can. */
  readonly stall?: (queue: string, ms: number) => Promise<void>
  /** Absent: it has no disk of its own. */
  readonly setDiskFull?: (full: boolean) => Promise<void>
  /** Ends it, paused or not, and removes what it left. */
  remove(): Promise<void>
  /** As `remove`, as well as it goes at once: this process is about to exit. */
  abandon(): void
  /** Why it ended although nobody asked it to, with the end of its log; absent while it runs. */
  failure(): Promise<string | undefined>
}
