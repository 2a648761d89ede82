import { openBroker, type RunningBroker } from '@jobport/brokers'
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from '@nats-io/jwt'
import { nkeys } from '@nats-io/transport-node'

type KeyPair = ReturnType<typeof nkeys.createAccount>

const UNLIMITED = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1, conn: -1, subs: -1, data: -1, payload: -1 }

/** A server whose users show credentials that an operator's account has signed. */
export class Operator {
  readonly #server: RunningBroker
  readonly #account: KeyPair

  static async open(): Promise<Operator> {
    const [operator, system, account] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()]
    const [systemName, name] = [system.getPublicKey(), account.getPublicKey()]
    const tokens = [
      `${systemName}: ${await encodeAccount('SYS', system, {}, { signer: operator })}`,
      `${name}: ${await encodeAccount('A', account, { limits: UNLIMITED }, { signer: operator })}`,
    ]
    const server = await openBroker('nats', {
      ways: ['local'],
      settings: {
        operator: await encodeOperator('O', operator, { system_account: systemName }),
        resolver: 'MEMORY',
        resolver_preload: `{ ${tokens.join(', ')} }`,
      },
    })
    return new Operator(server, account)
  }

  private constructor(server: RunningBroker, account: KeyPair) {
    this.#server = server
    this.#account = account
  }

  get place(): string {
    return this.#server.url.replace('nats://', '')
  }

  /** The text of a file for a user of the account. */
  credentials(): Promise<string> {
    return credentialsBy(this.#account)
  }

  /** Likewise, of an account that the server does not know. */
  forged(): Promise<string> {
    return credentialsBy(nkeys.createAccount())
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

async function credentialsBy(account: KeyPair): Promise<string> {
  const user = nkeys.createUser()
  return new TextDecoder().decode(fmtCreds(await encodeUser('u', user, account), user))
}
