import type { RunningBroker } from './broker.ts'
import { reach } from './probe.ts'
import type { Recipe } from './recipe.ts'

const REACH_DEADLINE = 5_000

/** The broker that the environment names. One that is named and does not answer is an error, not a reason to look elsewhere. */
export async function openFromEnvironment(recipe: Recipe): Promise<RunningBroker> {
  const { variable, title, usualPort, name } = recipe
  const url = process.env[variable]
  if (!url) throw new Error(`${variable} is not set`)
  const { hostname, port } = parse(url, variable)
  const place = `${hostname}:${port || usualPort}`
  await reach(hostname.replace(/^\[|\]$/g, ''), Number(port || usualPort), AbortSignal.timeout(REACH_DEADLINE)).catch(
    (error: unknown) => {
      throw new NamedBrokerError(`${variable} names ${place}, where nothing accepts connections`, { cause: error })
    },
  )
  const refuse = (): Promise<never> =>
    Promise.reject(
      new Error(
        `${title} at ${place} comes from ${variable}: it is not ours to control. openBroker('${name}', { own: true }) makes one that is.`,
      ),
    )
  const leave = (): Promise<void> => Promise.resolve()
  const control = { stop: refuse, start: refuse, restart: refuse, kill: refuse, pause: refuse, resume: refuse }
  return { name, url, way: 'environment', owned: false, ...control, close: leave, [Symbol.asyncDispose]: leave }
}

/** The environment names a broker that cannot be used. */
export class NamedBrokerError extends Error {}

/** `me:secret` is a URL too, of no host: whatever listens on this machine's usual port is not what it names. */
function parse(text: string, variable: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url?.hostname) throw new NamedBrokerError(`${variable} is not a URL with a host`)
  return url
}
