import { certifyRabbitMQ } from './conformance.ts'

// certify breaks brokers under it as well: npm run certify -- 'amqp://…?ledger=all'
certifyRabbitMQ('rabbitmq, all jobs in the ledger', '&ledger=all', false)
