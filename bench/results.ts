import type { Measures, Workload } from './workload.ts'

/** What one contender did under one workload, a sample for each bout. */
export interface Row {
  readonly broker: string
  readonly workload: string
  readonly contender: string
  readonly unit: Workload['unit']
  /** Absent: the contender has no such thing. Empty: it failed or hung. */
  readonly samples?: readonly Measures[]
}

export interface Results {
  readonly date: string
  readonly revision: string
  readonly quick: boolean
  readonly machine: { readonly system: string; readonly cpus: number; readonly model: string; readonly memory: number }
  /** Of Node, the servers and the clients. */
  readonly versions: Readonly<Record<string, string>>
  /** Of the whole run, ms. */
  readonly ms: number
  /** In the order in which they were measured; ours before the raw client, that before all others. */
  readonly rows: readonly Row[]
}

/** Of all contenders at one broker under one workload. */
export function rowsOf({ rows }: Results, broker: string, workload: string): readonly Row[] {
  return rows.filter((row) => row.broker === broker && row.workload === workload)
}

/** The measure that counts, of each bout. */
export function valuesOf({ samples = [] }: Row): number[] {
  return samples.map((measures) => Object.values(measures)[0]!)
}
