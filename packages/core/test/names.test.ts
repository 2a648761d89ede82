import { expect } from 'chai'
import { checkHeaders, checkId, checkJobName, checkQueueName } from '../src/names.ts'

describe('names', () => {
  const table: [string, (value: unknown) => void, unknown[], unknown[]][] = [
    [
      'queue name',
      checkQueueName,
      ['a', '0', 'Orders.eu-1_x', 'a'.repeat(100)],
      [
        '',
        '.a',
        '-a',
        '_a',
        'a:b',
        'a b',
        'a*',
        'a>',
        'a#',
        'a/b',
        'a\n',
        'a\0',
        '$a',
        'é',
        '__proto__',
        'a'.repeat(101),
        1,
        null,
        undefined,
        {},
        Object.create(null),
      ],
    ],
    [
      'job name',
      checkJobName,
      ['a', 'send mail', '__proto__', 'é', 'a'.repeat(100)],
      ['', ' a', 'a ', 'a\tb', 'a\r\nb', 'a\0', '\ud800', 'a'.repeat(101), 1, null, undefined],
    ],
    [
      'id',
      checkId,
      ['a', '42', 'order:42', '+41 79', '*', '>', ' a ', 'é'.repeat(100), '__proto__', '{x}', 'a'.repeat(200)],
      ['', 'a\n', 'a\0', '\u0085', 'a\udfff', 'é'.repeat(101), 'a'.repeat(201), 42, null, {}, []],
    ],
    [
      'headers',
      checkHeaders,
      [{}, { a: '' }, { 'x-1': ' both ends ' }, { constructor: 'é😀' }, { a: 'x'.repeat(4_096) }],
      [
        null,
        [],
        'a',
        { A: '1' },
        { 'a:b': '1' },
        { 'jobport-x': '1' },
        { a: 1 },
        new Map([['a', '1']]),
        Object.create({ a: '1' }),
        { a: 'b\r\nc' },
        { a: 'x'.repeat(4_097) },
        { ['a'.repeat(65)]: '1' },
        { '': '1' },
        Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, ''])),
      ],
    ],
  ]
  for (const [what, check, good, bad] of table) {
    for (const value of good) {
      it(`take ${what} ${JSON.stringify(value).slice(0, 40)}`, () => {
        expect(() => check(value)).not.to.throw()
      })
    }
    for (const value of bad) {
      it(`refuse ${what} ${String(JSON.stringify(value)).slice(0, 40)}`, () => {
        expect(() => check(value))
          .to.throw()
          .with.property('code', 'INVALID_ARGUMENT')
      })
    }
  }
})
