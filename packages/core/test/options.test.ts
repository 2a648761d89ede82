import { expect } from 'chai'
import { checkAddOptions, checkDefaults } from '../src/options.ts'
import { checkPage } from '../src/page.ts'
import { isPlain } from '../src/plain.ts'

describe('options', () => {
  const refused = (check: () => unknown, message: string): void => {
    expect(check).to.throw(message).with.property('code', 'INVALID_ARGUMENT')
  }

  it('are plain objects: whatever hides its keys is refused, not ignored', () => {
    class Options {
      get attempts(): number {
        return 2
      }
    }
    for (const value of [new Map([['attempts', 2]]), new Options(), Object.create({ attempts: 2 }), [], null, 'a', () => ({})]) {
      expect(isPlain(value)).to.equal(false)
      refused(() => checkAddOptions(value), 'must be a plain object')
      refused(() => checkAddOptions({ headers: value }), 'headers')
    }
    for (const value of [{}, Object.create(null), { attempts: 2 }]) {
      expect(isPlain(value)).to.equal(true)
      expect(() => checkAddOptions(value)).not.to.throw()
    }
  })

  it('take undefined for absent, but not for what must be there', () => {
    expect(() => checkAddOptions({ attempts: undefined, delay: undefined, at: new Date(), dedup: undefined })).not.to.throw()
    for (const dedup of [{}, { ttl: undefined }]) refused(() => checkAddOptions({ id: 'x', dedup }), 'dedup needs ttl')
    for (const backoff of [{}, { type: 'fixed' }, { delay: 1 }])
      refused(() => checkAddOptions({ backoff }), 'backoff needs type and delay')
  })

  it('exclude each other', () => {
    refused(() => checkAddOptions({ delay: 0, at: new Date() }), 'delay and at')
    refused(() => checkAddOptions({ dedup: { ttl: 1_000 } }), 'dedup needs an id')
  })

  const advice: [option: string, says: string][] = [
    ['opts', 'without a wrapper'],
    ['jobId', "Jobport's is id"],
    ['removeOnComplete', "the adapter decides what is kept: connect({ adapter: 'bullmq', keep, … })"],
    ['repeat', 'jobs do not repeat'],
    ['lifo', "Jobport's is priority"],
    ['deduplication', "Jobport's is id"],
    ['debounce', 'does not replace the first one'],
    ['lockDuration', 'it belongs to the adapter'],
    ['stalledInterval', 'it belongs to the adapter'],
    ['connection', 'connect(url)'],
    ['prefix', 'it belongs to the adapter'],
    ['limiter', 'no rate limits yet'],
    ['parent', 'no flows yet'],
    ['autorun', 'a worker starts by itself'],
    ['settings', "Jobport's is backoff, a function"],
    ['atempts', "did you mean 'attempts'?"],
    ['Delay', "did you mean 'delay'?"],
    ['toString', 'known: attempts'],
  ]
  for (const [option, says] of advice) {
    it(`answer '${option}' with: ${says}`, () => {
      refused(() => checkAddOptions({ [option]: undefined }), says)
    })
  }

  it('say what 0 attempts and a wait of another kind must be', () => {
    refused(() => checkAddOptions({ attempts: 0 }), 'attempts counts all runs, the first included: 1 is no retry')
    refused(() => checkAddOptions({ backoff: { type: 'custom', delay: 1 } }), "the worker's option backoff")
  })

  it('name the place of the fault', () => {
    refused(
      () => checkDefaults({ backoff: { type: 'fixed', delay: 1, jitter: 2 } }),
      'defaults.backoff.jitter must be a number from 0 to 1',
    )
  })

  it('of a page', () => {
    expect(checkPage({})).to.deep.equal({ limit: 100 })
    expect(checkPage({ limit: 1, cursor: 'c' })).to.deep.equal({ limit: 1, cursor: 'c' })
    expect(checkPage({ cursor: undefined })).to.deep.equal({ limit: 100 })
    for (const [options, says] of [
      [null, 'plain object'],
      [{ limit: 0 }, 'limit'],
      [{ limit: 1_001 }, 'limit'],
      [{ cursor: 1 }, 'cursor'],
      [{ offset: 1 }, 'known: limit'],
    ] as const) {
      refused(() => checkPage(options as object), says)
    }
  })
})
