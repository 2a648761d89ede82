import { ContainerModule, type ServiceIdentifier } from 'inversify'
import { Broker, type BrokerOptions } from './broker.ts'
import type { Config } from './config.ts'
import type { Driver } from './driver.ts'

/** Under which an adapter's module binds its driver. */
export const DRIVER: ServiceIdentifier<Driver> = Symbol.for('@jobport/core/driver')

/** Under which {@link brokerModule} binds the broker. */
export const BROKER: ServiceIdentifier<Broker> = Symbol.for('@jobport/core/broker')

/**
 * Binds one {@link Broker}, made from `config`, else from the bound {@link DRIVER}, else from the environment.
 * Closed, workers first, when the module is unloaded with `unloadAsync`.
 */
export function brokerModule(config?: Config, options?: BrokerOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(BROKER)
      .toDynamicValue((context) => new Broker(config ?? context.get(DRIVER, { optional: true }), options))
      .inSingletonScope()
      .onDeactivation((broker) => broker.close())
  })
}
