import { workloadsOf, type Part } from './part.ts'
import { run } from './runner.ts'

// measures the part that it is told; answers the title of each bout before it, and all rows in the end
process.once('disconnect', () => process.exit())
process.once('message', (part: Part) => void answer(part))

async function answer({ place, only, quick }: Part): Promise<void> {
  process.send!(await run({ place, workloads: workloadsOf({ only, quick }), quick, onBout: (title) => process.send!(title) }))
}
