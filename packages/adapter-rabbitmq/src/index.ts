export type { LedgerApi } from './ledger/api.ts'
