import { isFree } from './ports.ts'
import { open } from './open.ts'
import { isBrokerName, recipes } from './recipes.ts'

// The process that `up` leaves behind, one per broker, and that `down` ends: it holds the broker and ends it with itself.

/** What it tells the process that started it, once. */
export type KeeperNews = { readonly url: string } | { readonly error: string }

const name = process.argv[2] ?? ''
if (!isBrokerName(name)) throw new Error(`No broker is called '${name}'`)
const leave = (): never => process.exit(1)
process.once('disconnect', leave)
try {
  const { usualPort } = recipes[name]
  const broker = await open(name, (await isFree(usualPort)) ? { own: true, port: usualPort } : { own: true }, true)
  process.off('disconnect', leave)
  setInterval(() => {}, 2 ** 30)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => void broker.close().finally(() => process.exit()))
  tell({ url: broker.url })
} catch (error) {
  tell({ error: error instanceof Error ? error.message : String(error) })
}

function tell(news: KeeperNews): void {
  process.send?.(news, () => process.disconnect())
}
