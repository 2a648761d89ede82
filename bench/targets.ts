/** What the median of the ratio to the raw client, or to the plain path where it says so, is to be at least. */
export interface Target {
  readonly broker: string
  readonly workload: string
  /** Default: `Jobport`. */
  readonly contender?: string
  /** Default: the raw client. */
  readonly of?: string
  readonly least: number
}

const COLUMNS = [
  ['redis', [0.95, 0.95, 0.95, 0.95]],
  ['rabbitmq', [0.9, 0.9, 0.85, 0.9]],
  ['nats', [0.9, 0.9, 0.85, 0.9]],
] as const
const ROWS = ['add-256', 'add-many', 'work-100', 'work-1'] as const
const LEDGER = ['Jobport, given ids', "Jobport, ledger: 'all'"]

export const targets: readonly Target[] = [
  ...COLUMNS.flatMap(([broker, least]) => ROWS.map((workload, i) => ({ broker, workload, least: least[i]! }))),
  ...LEDGER.flatMap((contender) => [
    { broker: 'rabbitmq', workload: 'add-256', contender, of: 'Jobport', least: 0.6 },
    { broker: 'rabbitmq', workload: 'work-100', contender, of: 'Jobport', least: 0.45 },
    { broker: 'rabbitmq', workload: 'cycle', contender, of: 'Jobport', least: 0.55 },
  ]),
]
