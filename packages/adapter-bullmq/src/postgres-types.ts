import { types, type CustomTypesConfig } from 'pg'

/** BullMQ takes a payload that is null for none at all, and makes an object of it. */
const NULL = { toJSON: () => null }

const [BOOL, INT8, INT2, INT4, TEXT, JSONB, JSON_TYPE] = [16, 20, 21, 23, 25, 3802, 114]
const [INT4_ARRAY, TEXT_ARRAY, INT8_ARRAY] = [1007, 1009, 1016]

/** What its types say of it is not so. */
const arrays = types.arrayParser as unknown as {
  create: (text: string, transform: (entry: string | null) => unknown) => { parse: () => unknown }
}

type Parser = (text: string) => unknown

const PARSERS: Readonly<Record<number, Parser>> = {
  [BOOL]: (text) => text === 't',
  [INT2]: Number,
  [INT4]: Number,
  [INT8]: String,
  [TEXT]: String,
  [JSONB]: parseJson,
  [JSON_TYPE]: (text) => JSON.parse(text) as unknown,
  [INT4_ARRAY]: arrayOf(Number),
  [TEXT_ARRAY]: arrayOf(String),
  [INT8_ARRAY]: arrayOf(String),
}

/** What we and BullMQ read, and how: the parsers of `pg.types` belong to the application, which may have set its own. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: ((id: number): Parser => PARSERS[id] ?? String) as CustomTypesConfig['getTypeParser'],
}

function parseJson(text: string): unknown {
  return text === 'null' ? NULL : (JSON.parse(text) as unknown)
}

function arrayOf(parse: Parser): Parser {
  return (text) => arrays.create(text, (entry) => (entry === null ? null : parse(entry))).parse()
}
