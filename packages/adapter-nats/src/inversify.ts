import { DRIVER } from '@jobport/core/inversify'
import { ContainerModule } from 'inversify'
import { NatsDriver } from './driver.ts'
import type { NatsOptions } from './options.ts'

/** Binds a {@link NatsDriver}, closed when the module is unloaded with `unloadAsync`. */
export function natsModule(config: string | NatsOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(DRIVER)
      .toDynamicValue(() => new NatsDriver(config))
      .inSingletonScope()
      .onDeactivation((driver) => driver.close())
  })
}
