import { expect } from 'chai'
import { readEnvironment } from '../src/environment.ts'

describe('environment', () => {
  const mistakes = (environment: Record<string, string>): string => {
    try {
      readEnvironment(environment)
    } catch (error) {
      expect(error).to.have.property('code', 'INVALID_CONFIG')
      return (error as Error).message
    }
    throw new Error('was accepted')
  }

  it('takes QUEUE_URL first', () => {
    expect(readEnvironment({ QUEUE_URL: 'amqp://mq', REDIS_HOST: 'cache' })).to.equal('amqp://mq')
    expect(readEnvironment({ QUEUE_URL: 'rediss://r', QUEUE_ADAPTER: 'bullmq' })).to.equal('rediss://r')
  })

  it('then QUEUE_ADAPTER with its variables', () => {
    expect(readEnvironment({ QUEUE_ADAPTER: 'memory' })).to.deep.equal({ adapter: 'memory' })
    expect(readEnvironment({ QUEUE_ADAPTER: 'nats', NATS_URL: 'nats://n', RABBITMQ_URL: 'amqp://r' })).to.equal('nats://n')
  })

  it('reads REDIS_HOST, REDIS_PORT and REDIS_PASSWORD alone as BullMQ; empty means none', () => {
    expect(readEnvironment({ REDIS_HOST: 'r' })).to.deep.equal({ adapter: 'bullmq', host: 'r', port: 6379 })
    expect(readEnvironment({ REDIS_HOST: 'r', REDIS_PORT: '6380', REDIS_PASSWORD: 'p' })).to.deep.equal({
      adapter: 'bullmq',
      host: 'r',
      port: 6380,
      password: 'p',
    })
    expect(readEnvironment({ REDIS_HOST: 'r', REDIS_PORT: '', REDIS_PASSWORD: '' })).to.deep.equal({
      adapter: 'bullmq',
      host: 'r',
      port: 6379,
    })
  })

  it('takes RABBITMQ_URL or NATS_URL alone', () => {
    expect(readEnvironment({ RABBITMQ_URL: 'amqps://r' })).to.equal('amqps://r')
    expect(readEnvironment({ NATS_URL: 'nats+tls://n' })).to.equal('nats+tls://n')
  })

  it('takes lists of servers as they are', () => {
    const list = 'nats://u:p@a:4222,u2:p2@b:4222'
    expect(readEnvironment({ QUEUE_URL: list })).to.equal(list)
    expect(readEnvironment({ QUEUE_URL: list, QUEUE_ADAPTER: 'nats' })).to.equal(list)
    expect(readEnvironment({ NATS_URL: list })).to.equal(list)
    expect(readEnvironment({ RABBITMQ_URL: 'amqp://a:5672,b:5673' })).to.equal('amqp://a:5672,b:5673')
    expect(mistakes({ RABBITMQ_URL: list })).to.include('no amqp:// or amqps:// URL')
    expect(mistakes({ QUEUE_URL: list, QUEUE_ADAPTER: 'rabbitmq' })).to.include('(nats://) contradicts QUEUE_ADAPTER=rabbitmq')
    expect(mistakes({ QUEUE_URL: 'mq 4222, other' })).to.include('QUEUE_URL is no URL')
  })

  it('never falls back to memory', () => {
    expect(mistakes({})).to.include('no broker is named')
    expect(mistakes({ QUEUE_URL: '  ' })).to.include('no broker is named')
  })

  it('reports all mistakes at once', () => {
    expect(mistakes({ REDIS_PORT: 'many', REDIS_PASSWORD: 'p' }))
      .to.include('REDIS_HOST is missing')
      .and.include('REDIS_PORT is no port')
  })

  it('refuses contradictions', () => {
    expect(mistakes({ REDIS_HOST: 'r', NATS_URL: 'nats://n' })).to.include('bullmq and nats are both configured')
    expect(mistakes({ QUEUE_URL: 'amqp://m', QUEUE_ADAPTER: 'nats' })).to.include('contradicts QUEUE_ADAPTER=nats')
    expect(mistakes({ QUEUE_ADAPTER: 'kafka' })).to.include('unknown: bullmq, rabbitmq, nats, memory')
    expect(mistakes({ RABBITMQ_URL: 'http://r' })).to.include('no amqp:// or amqps:// URL')
    expect(mistakes({ QUEUE_ADAPTER: 'nats' })).to.include('NATS_URL is missing')
  })

  it('never shows a credential', () => {
    for (const url of ['amqp://u:canary@m', 'amqp://u:p@m:1,u:canary@n:2'])
      expect(mistakes({ QUEUE_URL: url, QUEUE_ADAPTER: 'nats' })).not.to.include('canary')
  })
})
