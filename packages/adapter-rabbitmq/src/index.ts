export { Ledger } from './ledger/ledger.ts'
export type * from './ledger/api.ts'
