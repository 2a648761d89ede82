import { parseArgs, type ParseArgsConfig } from 'node:util'

/** Reads the command line. On a mistake the process ends with code 2 and two lines: what is wrong, and `usage`. */
export function readArguments<Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (error) {
    return refuse(`${(error as Error).message}\nUsage: ${usage}`)
  }
}

export function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}

/** Reads the value of an option that takes a whole number from `least`. */
export function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(number) && number >= least) return number
  return refuse(`${option} takes a whole number from ${least}, not '${text}'`)
}

/** Reads `redis,nats`: those of `all` whose name contains one of the parts. Absent: all. A part that names none is refused. */
export function selected<Item>(
  option: string,
  text: string | undefined,
  all: readonly Item[],
  nameOf: (item: Item) => string,
): Item[] {
  if (text === undefined) return [...all]
  const parts = text.split(',').map((part) => part.trim())
  const isPartOf = (part: string, item: Item): boolean => part !== '' && nameOf(item).includes(part)
  const idle = parts.find((part) => !all.some((item) => isPartOf(part, item)))
  if (idle !== undefined) return refuse(`${option} '${idle}' names none of ${all.map(nameOf).join(', ')}`)
  return all.filter((item) => parts.some((part) => isPartOf(part, item)))
}
