import type { ConnectionOptions } from 'node:tls'

export interface Node {
  readonly host: string
  /** Default 5672, with TLS 5671. */
  readonly port?: number
}

export interface RabbitMQOptions {
  /** `amqp://user:password@host:5672/vhost` or `amqps://…`; its query takes `ledger`, `prefix`, `heartbeat` … */
  readonly url?: string
  readonly host?: string
  readonly port?: number
  /** Nodes of a cluster, tried in turn at every connect. */
  readonly hosts?: readonly Node[]
  /** Default `guest`, which RabbitMQ lets in from its own machine only. */
  readonly username?: string
  readonly password?: string
  /** Default `/`. */
  readonly vhost?: string
  /** CA, client certificate, server name. With `cert` and without a user name the certificate is the credential (EXTERNAL). */
  readonly tls?: boolean | ConnectionOptions
  /** A peer that is silent for two of these is gone, ms, in whole seconds. Default 10,000. */
  readonly heartbeat?: number
  /** Before the name of everything that this adapter declares. Default `jobport`. */
  readonly prefix?: string
  /**
   * Of the queues that hold jobs. Default `quorum`. `classic` is for single nodes: it knows no crashes, so a job that
   * kills its worker is not stopped. Delays are quorum queues always.
   */
  readonly queueType?: 'quorum' | 'classic'
  /** Replicas of a quorum queue. Default: what the server says, usually 3. */
  readonly replicas?: number
  /**
   * Which jobs are written down in the queue's ledger: those whose id the caller gave (default), or all. Only these
   * can be looked up and removed, are fenced, and are unique.
   */
  readonly ledger?: 'given' | 'all'
  /** Bytes that the ledger of a queue may take on the server, fixed when it is first made. Default 256 MiB: about 250,000 live ids. */
  readonly ledgerSize?: number
  /** One chain of delay queues for each queue (default), or one that all queues of the same prefix share: fewer queues. */
  readonly delays?: 'queue' | 'shared'
  /**
   * Where RabbitMQ's management interface is, `http://host:15672`. With it, a queue is refused with `SERVER_UNSUITABLE` if a
   * policy would lose its jobs or run them early, and policies that come later are told by `error` events within 30 s. The user
   * (that of the URL, else the broker's) needs the tag `management`. Default: policies are not looked at, as AMQP tells none.
   */
  readonly management?: string
  /** Largest payload in bytes of JSON. Default 16 MiB, RabbitMQ's own limit. */
  readonly maxPayload?: number
}
