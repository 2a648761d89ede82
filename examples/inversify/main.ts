// The broker as a dependency: bound once, injected where jobs are added and where they are worked.

import { bullmqModule } from '@jobport/adapter-bullmq/inversify'
import { memoryModule } from '@jobport/adapter-memory/inversify'
import { natsModule } from '@jobport/adapter-nats/inversify'
import { rabbitmqModule } from '@jobport/adapter-rabbitmq/inversify'
import type { Broker, Queue } from '@jobport/core'
import { BROKER, brokerModule } from '@jobport/core/inversify'
import { Container, ContainerModule } from 'inversify'

type MailJobs = { welcome: { to: string } }

const QUEUE = `mails-${process.pid}`

/** Adds jobs. Knows neither the container nor which broker it is. */
class Newsletter {
  readonly queue: Queue<MailJobs>

  constructor(broker: Broker) {
    this.queue = broker.queue<MailJobs>(QUEUE, { defaults: { attempts: 3 } })
  }

  async welcome(to: string): Promise<void> {
    await this.queue.add('welcome', { to })
  }
}

/** Works them. */
class MailRoom {
  readonly #broker: Broker

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** Resolves once `count` mails are out. */
  open(count: number): Promise<void> {
    const worker = this.#broker.worker<MailJobs>(QUEUE, { welcome: ({ data }) => `welcome, ${data.to}` }, { concurrency: 5 })
    return new Promise((resolve) => {
      worker.on('completed', (_job, result) => {
        console.log(result)
        if (--count === 0) resolve()
      })
    })
  }
}

const mailModule = new ContainerModule(({ bind }) => {
  bind(Newsletter).toResolvedValue((broker) => new Newsletter(broker), [BROKER])
  bind(MailRoom).toResolvedValue((broker) => new MailRoom(broker), [BROKER])
})

const [url = 'memory://'] = process.argv.slice(2)
const modules = [adapterModule(url), brokerModule(), mailModule]
const container = new Container()
container.load(...modules)

const newsletter = container.get(Newsletter)
for (const to of ['amelia@example.org', 'noah@example.net', 'priya@example.com']) await newsletter.welcome(to)
await container.get(MailRoom).open(3)
await newsletter.queue.drop()

// closes the broker, workers first: the process ends by itself
await container.unloadAsync(...modules)

/** A program would name one. */
function adapterModule(place: string): ContainerModule {
  if (place.startsWith('memory:')) return memoryModule()
  if (/^amqps?:/.test(place)) return rabbitmqModule(place)
  return place.startsWith('nats') ? natsModule(place) : bullmqModule(place)
}
