import { Outlet, type Sent } from './outlet.ts'
import type { Link } from './link.ts'
import type { Route } from './topology.ts'
import type { Wire } from './wire.ts'

/**
 * Publishes, always with confirmation. What goes to an exchange of ours has a channel of its own: the broker closes the channel of a
 * message for an exchange that is gone, and confirms nothing more of what was on its way there.
 */
export class Publisher {
  readonly #toQueues: Outlet
  readonly #toExchanges: Outlet

  constructor(link: Link) {
    this.#toQueues = new Outlet(link)
    this.#toExchanges = new Outlet(link)
  }

  /** Never rejects. Once `signal` fires it resolves with `unknown`. */
  send(route: Route, wire: Wire, signal?: AbortSignal): Promise<Sent> {
    return this.#outletOf(route).send(route, wire, signal)
  }

  /** The same for several, in order. */
  sendAll(route: Route, wires: readonly Wire[], signal?: AbortSignal): Promise<Sent[]> {
    return this.#outletOf(route).sendAll(route, wires, signal)
  }

  #outletOf({ exchange }: Route): Outlet {
    return exchange === '' ? this.#toQueues : this.#toExchanges
  }
}
