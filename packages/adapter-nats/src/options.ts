import type { TlsOptions } from '@nats-io/transport-node'

export interface NatsOptions {
  /** `nats://` or `nats+tls://`, several hosts by comma; its query takes `prefix`, `replicas`, `ackWait` … */
  readonly url?: string
  /** `host:port`, one or several of a cluster. Default `127.0.0.1:4222`. */
  readonly servers?: string | readonly string[]
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** Seed of an nkey, beginning with `SU`. */
  readonly nkey?: string
  /** Path of a credentials file, as `nsc` writes it. */
  readonly credentials?: string
  /** `true`: by the system's authorities. CA, certificate and key as text or as files. */
  readonly tls?: boolean | TlsOptions
  /** One token, before the names of streams and subjects. Default `jobport`. */
  readonly prefix?: string
  /** Copies of each queue, when it is made: 1 (default), 3 or 5. */
  readonly replicas?: number
  /** A worker that does not renew a job's lease for this long has lost it, ms. The same for all workers. Default 30,000. */
  readonly ackWait?: number
  /** How long the record of a completed job, with its result, stays to be looked at; ms, from 1,000 to ten years. Default 60,000. */
  readonly keep?: number
  /** Largest payload in bytes of JSON. Default: what the server takes, less 96 KiB for what goes beside it. */
  readonly maxPayload?: number
}
