import { JobportError } from '@jobport/core/driver'

export interface ExampleOptions {
  /** Default `example://127.0.0.1`. */
  readonly url?: string
}

/** Reads a URL or an options object, with defaults. Throws `INVALID_CONFIG`, before any I/O. */
export function readOptions(config: string | ExampleOptions): Required<ExampleOptions> {
  const { url = 'example://127.0.0.1', ...rest } = typeof config === 'string' ? { url: config } : config
  const mistakes = Object.keys(rest).map((key) => `unknown option '${key}' (known: url)`)
  if (typeof url !== 'string' || !URL.canParse(url)) mistakes.push('url must be a URL')
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `example: ${mistakes.join('; ')}`)
  return { url }
}
