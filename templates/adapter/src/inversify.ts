import { DRIVER } from '@jobport/core/inversify'
import { ContainerModule } from 'inversify'
import { ExampleDriver } from './driver.ts'
import type { ExampleOptions } from './options.ts'

/** Binds an {@link ExampleDriver}, closed when the module is unloaded with `unloadAsync`. */
export function exampleModule(config: string | ExampleOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(DRIVER)
      .toDynamicValue(() => new ExampleDriver(config))
      .inSingletonScope()
      .onDeactivation((driver) => driver.close())
  })
}
