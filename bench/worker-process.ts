import { contendersAt, type Kind } from './arenas.ts'

// node worker-process.ts <kind> <url> <contender> <queue>: opens the queue, waits for 'go', works, and tells how much it has done.

const TELL = 20

const [kind, url, title, queue] = process.argv.slice(2) as [Kind, string, string, string]
const bout = await contendersAt(kind, url)
  .find((contender) => contender.title === title)!
  .open(queue)
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
