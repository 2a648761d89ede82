import { adding } from './adding.ts'
import { delayingLoads } from './delaying.ts'
import { failing } from './failing.ts'
import { growingLoads } from './growing.ts'
import { sharingLoads } from './sharing.ts'
import { workingLoads } from './working.ts'
import type { Workload } from '../workload.ts'

export const workloads: readonly Workload[] = [
  ...adding,
  ...workingLoads,
  ...failing,
  ...delayingLoads,
  ...growingLoads,
  ...sharingLoads,
]
