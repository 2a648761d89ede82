import { inspect } from 'node:util'
import { expect } from 'chai'
import { JobportError } from '@jobport/core'
import { redact, toJobError } from '@jobport/core/driver'
import { toError } from '../src/job-error.ts'

describe('errors', () => {
  it('take credentials out of URLs, wherever they stand', () => {
    expect(redact('connect redis://user:canary@host:1/0 failed')).to.equal('connect redis://***@host:1/0 failed')
    expect(redact('amqps://:canary@h and nats+tls://canary@h')).not.to.include('canary')
    expect(redact('redis://u:p/canary@host, redis://u:can#ary?@host')).not.to.match(/canary|can#ary/)
    expect(redact('nats://u:canary@a:4222,u2:canary2@b:4222 failed')).to.equal('nats://***@b:4222 failed')
    expect(redact('nats://a:4222,u2:canary2@b:4222,nats://canary@c')).not.to.include('canary')
    expect(redact('postgres://h/d?user=u&password=canary&a=1, nats://h?token=canary')).not.to.include('canary')
    expect(redact(`postgres://u:${'canary'.repeat(300)}@host failed`)).to.equal('postgres://***@host failed')
    expect(redact('see https://host/path and mail a@b')).to.equal('see https://host/path and mail a@b')
  })

  it('show no credential, not in the message, not in the cause, not in the command that a client quotes', () => {
    const native = Object.assign(new Error('WRONGPASS at redis://u:canary@h'), {
      command: { name: 'auth', args: ['u', 'canary'] },
    })
    const error = new JobportError('ACCESS_DENIED', `redis://u:canary@h refused`, { cause: native })
    expect(inspect(error, { depth: 9, showHidden: true })).not.to.include('canary')
    expect(error.cause).to.equal(native)
  })

  it('take no time to redact, however long the text and whatever stands in it', () => {
    for (const text of ['a'.repeat(1e6), `${'a://'.repeat(1e5)} @`, '@'.repeat(1e6), 'redis://'.repeat(1e5)]) {
      const start = performance.now()
      redact(text)
      expect(new JobportError('REJECTED', text).message.length).to.be.below(10_000)
      expect(performance.now() - start, text.slice(0, 10)).to.be.below(3_000)
    }
  })

  it('make an Error of anything that was thrown', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const thrown of ['text', 5, null, undefined, circle, Symbol('s'), Object.create(null)]) {
      expect(toJobError(toError(thrown)))
        .to.have.property('message')
        .that.is.a('string')
    }
  })
})
