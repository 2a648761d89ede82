import { certifyRabbitMQ } from './conformance.ts'

certifyRabbitMQ('rabbitmq, all jobs in the ledger', '&ledger=all')
