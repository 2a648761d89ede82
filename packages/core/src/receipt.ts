/** What `add` answers. */
export type Receipt =
  | { readonly id: string; readonly added: true; readonly uid: string }
  /** A live job, or a dedup window, holds the id; nothing was stored. `uid` is the holder's, where the broker tells. */
  | { readonly id: string; readonly added: false; readonly uid?: string }
