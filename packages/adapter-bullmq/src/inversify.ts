import { DRIVER } from '@jobport/core/inversify'
import { ContainerModule } from 'inversify'
import { BullMQDriver } from './driver.ts'
import type { BullMQOptions } from './options.ts'

/** Binds a {@link BullMQDriver}, closed when the module is unloaded with `unloadAsync`. */
export function bullmqModule(config: string | BullMQOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(DRIVER)
      .toDynamicValue(() => new BullMQDriver(config))
      .inSingletonScope()
      .onDeactivation((driver) => driver.close())
  })
}
