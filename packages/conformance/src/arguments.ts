/** What is needed of a program's command line, once it was read. */
interface CommandLine {
  opts(): Readonly<Record<string, unknown>>
  error(message: string): never
}

export interface Expected {
  /** Options that take whole numbers, with the least of each. */
  readonly whole: Readonly<Record<string, number>>
  /** Those that take a number above 0. */
  readonly positive: readonly string[]
  readonly patterns?: readonly string[]
}

/** Ends the program, with a line that names the option, if a value is not what it takes. */
export function checkValues(command: CommandLine, { whole, positive, patterns = [] }: Expected): void {
  const values = command.opts() as Readonly<Record<string, string | undefined>>
  const refuse = (name: string, what: string): never => command.error(`error: --${name} takes ${what}, not '${values[name]}'`)
  for (const [name, least] of Object.entries(whole)) {
    const number = numberOf(values[name])
    if (number !== undefined && !(Number.isSafeInteger(number) && number >= least)) refuse(name, `a whole number from ${least}`)
  }
  for (const name of positive) {
    const number = numberOf(values[name])
    if (number !== undefined && !(number > 0 && number < Infinity)) refuse(name, 'a number above 0')
  }
  for (const name of patterns) if (!isPattern(values[name] ?? '')) refuse(name, 'a regular expression')
}

/** Absent: the option was not given. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return text.trim() === '' ? NaN : Number(text)
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}
