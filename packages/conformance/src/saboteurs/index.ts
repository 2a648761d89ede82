import { delivering } from './delivering.ts'
import { publishing } from './publishing.ts'
import { reporting } from './reporting.ts'
import { settlements } from './settling.ts'
import { tending } from './tending.ts'
import type { Saboteur } from './saboteur.ts'

export const saboteurs: readonly Saboteur[] = [...publishing, ...delivering, ...settlements, ...tending, ...reporting]
export type { Saboteur }
