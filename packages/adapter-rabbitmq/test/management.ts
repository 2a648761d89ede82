import { freePort, openBroker, type RunningBroker } from '@jobport/brokers'

/** What a user may configure, write and read: patterns of names. */
export interface Permissions {
  readonly configure: string
  readonly write: string
  readonly read: string
}

/** A broker of ours with the management plugin, and its HTTP interface. */
export class ManagedBroker {
  readonly broker: RunningBroker
  readonly #api: string

  static async open(settings: Readonly<Record<string, string>> = {}): Promise<ManagedBroker> {
    const port = await freePort()
    const management = { 'management.tcp.port': String(port), 'management.tcp.ip': '127.0.0.1' }
    return new ManagedBroker(await openBroker('rabbitmq', { ways: ['local'], settings: { ...management, ...settings } }), port)
  }

  private constructor(broker: RunningBroker, port: number) {
    this.broker = broker
    this.#api = `http://127.0.0.1:${port}/api/`
  }

  get url(): string {
    return this.broker.url
  }

  async get<T>(path: string): Promise<T> {
    return (await this.#call('GET', path)).json() as Promise<T>
  }

  /** Answers the URL for a new user of the virtual host `/`. */
  async user(name: string, password: string, permissions: Permissions): Promise<string> {
    await this.#call('PUT', `users/${name}`, { password, tags: '' })
    await this.permit(name, permissions)
    const url = new URL(this.url)
    url.username = name
    url.password = password
    return url.href
  }

  /** Where its HTTP interface is. */
  get management(): string {
    return new URL(this.#api).origin
  }

  /** Of the highest priority that applies to a queue, one is in force; operators' are merged with that. */
  async policy(
    kind: 'policies' | 'operator-policies',
    name: string,
    policy: { readonly pattern: string; readonly definition: object; readonly priority?: number },
  ): Promise<void> {
    await this.#call('PUT', `${kind}/%2F/${name}`, { 'apply-to': 'queues', priority: 0, ...policy })
  }

  async unset(kind: 'policies' | 'operator-policies', name: string): Promise<void> {
    await this.#call('DELETE', `${kind}/%2F/${name}`)
  }

  async tag(name: string, password: string, tags: string): Promise<void> {
    await this.#call('PUT', `users/${name}`, { password, tags })
  }

  async permit(name: string, permissions: Permissions): Promise<void> {
    await this.#call('PUT', `permissions/%2F/${name}`, permissions)
  }

  close(): Promise<void> {
    return this.broker.close()
  }

  async #call(method: string, path: string, body?: unknown): Promise<Response> {
    const headers = { authorization: `Basic ${btoa('guest:guest')}`, 'content-type': 'application/json' }
    const response = await fetch(this.#api + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }
}
