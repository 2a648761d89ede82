import { DRIVER } from '@jobport/core/inversify'
import { ContainerModule } from 'inversify'
import { MemoryDriver } from './driver.ts'
import type { MemoryOptions } from './options.ts'

/** Binds a {@link MemoryDriver}, closed when the module is unloaded with `unloadAsync`. */
export function memoryModule(options?: MemoryOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(DRIVER)
      .toDynamicValue(() => new MemoryDriver(options))
      .inSingletonScope()
      .onDeactivation((driver) => driver.close())
  })
}
