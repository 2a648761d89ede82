import type { NatsOptions } from './options.ts'

const NUMBERS = ['replicas', 'ackWait', 'keep', 'maxPayload']

/**
 * `nats://user:password@one:4222,two:4222?prefix=…`. The client takes no credentials in a URL, and so they are taken
 * out of it here; a user without a password is a token. No mistake repeats what the URL holds.
 */
export function readUrl(text: string, known: readonly string[], mistakes: string[]): Partial<NatsOptions> {
  const parts = /^(nats|nats\+tls):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/.exec(text)
  if (!parts) {
    mistakes.push('url must begin with nats:// or nats+tls:// and be well-formed')
    return {}
  }
  const [, scheme, login, hosts = '', query = ''] = parts
  const unclear = hosts.split(',').filter((host) => !isPlace(host))
  if (unclear.length > 0) mistakes.push(`url: 'host:port' is expected, or several by comma, not '${unclear.join(', ')}'`)
  if (login?.includes(',')) mistakes.push("url: user and password stand once, before the first host, with ',' as %2C")
  return {
    servers: hosts.split(','),
    ...(login !== undefined && readLogin(login, mistakes)),
    ...(scheme === 'nats+tls' && { tls: true }),
    ...readQuery(query, known, mistakes),
  }
}

/** A name, an IPv4 address or an IPv6 address in brackets, and a port or none. */
function isPlace(host: string): boolean {
  const [, port] = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(host) ?? [undefined, '0']
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535)
}

function readLogin(login: string, mistakes: string[]): Partial<NatsOptions> {
  const [user, password] = login.split(/:(.*)/s, 2).map((part) => decode(part, mistakes))
  return password === undefined ? { token: user ?? '' } : { user: user ?? '', password }
}

function decode(text: string, mistakes: string[]): string {
  try {
    return decodeURIComponent(text)
  } catch {
    mistakes.push("url: user and password must be percent-encoded, '%' as %25")
    return text
  }
}

function readQuery(query: string, known: readonly string[], mistakes: string[]): Partial<NatsOptions> {
  const options: Record<string, unknown> = {}
  for (const [key, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(options, key)) mistakes.push(`url: query '${key}' is given twice`)
    else if (known.includes(key)) options[key] = NUMBERS.includes(key) ? Number(value) : value
    else mistakes.push(`url: query '${key}' is unknown (known: ${known.join(', ')})`)
  }
  return options
}
