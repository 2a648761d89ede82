import { certifyRabbitMQ } from './conformance.ts'

certifyRabbitMQ('rabbitmq', '', true)
