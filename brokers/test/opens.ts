import { openBroker, type BrokerName } from '@jobport/brokers'

// A process that opens a broker and never closes it.

process.once('message', () => process.exit())
await openBroker(process.argv[2] as BrokerName, { ways: ['local'] })
process.send?.('open')
