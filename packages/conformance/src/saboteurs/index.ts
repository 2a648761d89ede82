import { delivering } from './delivering.ts'
import { leasing } from './leasing.ts'
import { publishing } from './publishing.ts'
import { reporting } from './reporting.ts'
import { settlements } from './settling.ts'
import { straying } from './straying.ts'
import { tending } from './tending.ts'
import { timing } from './timing.ts'
import type { Saboteur } from './saboteur.ts'

export const saboteurs: readonly Saboteur[] = [
  ...publishing,
  ...delivering,
  ...settlements,
  ...leasing,
  ...timing,
  ...tending,
  ...reporting,
  ...straying,
]
export type { Saboteur }
