import { expect } from 'chai'
import { defineJob } from '../src/define-job.ts'
import { HandlerMap } from '../src/handlers.ts'

describe('handlers', () => {
  const find = (handlers: unknown, name: string): unknown => new HandlerMap('q', handlers, []).find(name)?.handler

  it('are found by name, and nothing is inherited', () => {
    const a = (): number => 1
    expect(find(a, 'anything')).to.equal(a)
    expect(find({ a }, 'a')).to.equal(a)
    expect(find([defineJob({ name: 'a' }).handler(a)], 'a')).to.equal(a)
    for (const name of ['constructor', '__proto__', 'toString', 'A']) expect(find({ a }, name)).to.equal(undefined)
  })

  const bound = defineJob({ name: 'a' }).handler(() => 1)
  const refused: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a string', 'a'],
    ['an empty map', {}],
    ['an empty list', []],
    ['a missing handler', { a: undefined }],
    ['no function', { a: 1 }],
    ['a bad name', { '': () => 1 }],
    ['a list of functions', [() => 1]],
    ['a list of null', [null]],
    ['what only looks bound', [{ definition: { name: 'a' }, handler: () => 1 }]],
    ['a name twice', [bound, bound]],
    ['a job of another queue', [defineJob({ name: 'a', queue: 'other' }).handler(() => 1)]],
  ]
  for (const [what, handlers] of refused) {
    it(`refuse ${what}`, () => {
      expect(() => new HandlerMap('q', handlers, []))
        .to.throw()
        .with.property('code', 'INVALID_ARGUMENT')
    })
  }
})
