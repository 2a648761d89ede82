import { DRIVER } from '@jobport/core/inversify'
import { ContainerModule } from 'inversify'
import { RabbitMQDriver } from './driver.ts'
import type { RabbitMQOptions } from './options.ts'

/** Binds a {@link RabbitMQDriver}, closed when the module is unloaded with `unloadAsync`. */
export function rabbitmqModule(config: string | RabbitMQOptions): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(DRIVER)
      .toDynamicValue(() => new RabbitMQDriver(config))
      .inSingletonScope()
      .onDeactivation((driver) => driver.close())
  })
}
