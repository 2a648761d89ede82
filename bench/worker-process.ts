import { contendersAt } from './arenas.ts'
import type { Stand } from './crowd.ts'

// node worker-process.ts <stand as JSON>: opens the queue, waits for 'go', works, and tells how much it has done.

const TELL = 20

const { place, contender, queue } = JSON.parse(process.argv[2]!) as Stand
const contenders = await contendersAt(place)
const bout = await contenders.find(({ title }) => title === contender)!.open(queue)
let done = 0
let told = 0
setInterval(() => {
  if (done === told) return
  process.send!(done - told)
  told = done
}, TELL)
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.once('message', () => {
  void bout.work(
    100,
    () => {},
    () => void done++,
  )
})
process.send!('ready')
