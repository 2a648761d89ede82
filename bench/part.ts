import { fork } from 'node:child_process'
import { workloads } from './workloads/index.ts'
import type { Place } from './arenas.ts'
import type { Row } from './results.ts'
import type { Workload } from './workload.ts'

/** What of a run one broker serves. */
export interface Part {
  readonly place: Place
  /** A pattern of workload ids. Default: all. */
  readonly only: string | undefined
  readonly quick: boolean
}

export function workloadsOf({ only = '', quick }: Pick<Part, 'only' | 'quick'>): readonly Workload[] {
  const pattern = new RegExp(only)
  return workloads.filter(({ id, jobs }) => pattern.test(id) && (!quick || jobs.quick !== undefined))
}

/** In a process of its own: what the clients of one broker compiled, hold or left running weighs on no other's. */
export async function measurePart(part: Part, onBout: (title: string) => void): Promise<Row[]> {
  const child = fork(new URL('./part-process.ts', import.meta.url))
  const { promise, resolve, reject } = Promise.withResolvers<Row[]>()
  child.on('message', (told: string | Row[]) => (typeof told === 'string' ? onBout(told) : resolve(told)))
  child.once('exit', (code, signal) => reject(new Error(`the part of ${part.place.kind} ended with ${code ?? signal}`)))
  child.send(part)
  try {
    return await promise
  } finally {
    child.kill('SIGKILL')
  }
}
