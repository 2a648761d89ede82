import type { Driver } from '@jobport/core/driver'

/** Drivers that stay connected from one history to the next: a broker may take longer for that than for a history. */
export class Connections {
  readonly #createDriver: () => Driver
  readonly #idle: Driver[] = []

  constructor(createDriver: () => Driver) {
    this.#createDriver = createDriver
  }

  take(): Driver {
    return this.#idle.pop() ?? this.#createDriver()
  }

  giveBack(driver: Driver): void {
    this.#idle.push(driver)
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((driver) => driver.close()))
  }
}
