import { fill } from '../load.ts'
import type { Workload } from '../workload.ts'

/** Work for one process, s. */
const ENOUGH = 4

/** Worker processes on one queue. */
function sharing(processes: number): Workload {
  return {
    id: `processes-${processes}`,
    title: `work in ${processes} ${processes === 1 ? 'process' : 'processes'}, concurrency 100 each`,
    unit: 'jobs/s',
    needs: ['shared'],
    jobs: { full: 20_000 },
    rounds: 2,
    cold: true,
    async run(bout, most, circumstances) {
      const jobs = Math.ceil(Math.min(most, circumstances.capacity * ENOUGH))
      await fill(bout, jobs)
      const crowd = await circumstances.processes(processes)
      try {
        return { rate: (jobs / (await crowd.ended(jobs))) * 1_000 }
      } finally {
        await crowd.kill()
      }
    },
  }
}

export const sharingLoads: readonly Workload[] = [1, 2, 4, 8].map(sharing)
