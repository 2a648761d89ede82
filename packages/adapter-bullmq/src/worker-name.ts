import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/**
 * All workers of this process carry it: stores tell who is connected by connection, and so processes are counted by
 * name. At most 40 characters, because PostgreSQL cuts names.
 */
export const workerName: string = `${hostname()
  .replace(/[^A-Za-z0-9.-]/g, '')
  .slice(0, 20)}-${process.pid}-${randomBytes(4).toString('hex')}`
