import type { Driver } from '@jobport/core/driver'
import type { Breakable } from './breakable.ts'

/** What the suite needs to know of an adapter. */
export interface Harness {
  /** Heads the titles and the certificate. */
  readonly name: string
  /**
   * Drivers of one harness reach the same broker, wherever they are made. `url` is given when the suite has put a proxy
   * between the driver and the broker. Leases want to be short: a case waits for them to run out.
   */
  createDriver(url?: string): Driver
  /**
   * Lets the suite reach the broker from other processes: its URL, and the file URL of a module that exports
   * `createDriver(url)`. Absent: the broker lives in this process, and cases that kill processes do not apply. Where the URL
   * names no port, and its scheme has none by default, there is no wire: cases that cut connections do not apply.
   */
  readonly remote?: { readonly url: string; readonly module: URL }
  /**
   * Makes a broker of the same kind that the suite may stop, kill and freeze; it takes the options that stand in the query of
   * `remote.url`. With `disk`, it lives on a disk of its own of so many bytes, if that can be had. Absent: the cases that break a broker do not apply, and the certificate says so.
   */
  openBroker?(options?: { readonly disk?: number }): Promise<Breakable>
  /**
   * Puts into `queue`, past the adapter, a waiting record that cannot be decoded: torn, foreign, hostile. Absent: what
   * becomes of one is not tested, and the certificate says so.
   */
  corrupt?(queue: string): Promise<void>
  /** Whatever the suite's queues left in the broker, by name: must be nothing in the end. */
  leftovers?(queues: readonly string[]): Promise<readonly string[]>
}
