/** What `add` answers. */
export interface Receipt {
  readonly id: string
  /** `false`: a live job, or a dedup window, holds the id; nothing was stored. */
  readonly added: boolean
  /** The new job's, or the holder's where the broker tells. */
  readonly uid?: string
}
