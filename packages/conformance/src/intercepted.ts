import type { Driver } from '@jobport/core/driver'

export type Method = keyof Driver

/** Does `call`, or something else in its place. */
export type Around = (method: Method, call: () => unknown) => unknown

/** `driver`, with each call of a method of its own going through `around`. */
export function intercepted(driver: Driver, around: Around): Driver {
  return new Proxy(driver, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => around(key as Method, () => Reflect.apply(value, target, args) as unknown)
    },
  })
}
