import { JobportError, type ServerInfo } from '@jobport/core/driver'
import { isPassing } from './faults.ts'
import type { Settings } from './settings.ts'
import type { JetStreamManager } from '@nats-io/jetstream'
import { TimeoutError, type NatsConnection } from '@nats-io/transport-node'

const NEEDED = [2, 12, 10] as const
/** JetStream's level of the same release. */
const LEVEL = 2
/** What goes beside a payload: envelope, 32 KiB of headers that JSON may double, the error of a dead one; bytes. */
const BESIDE = 98_304
/** A cluster that chooses its leader says nothing. */
const ASKED_AT_MOST = 2

/** Refuses, with `SERVER_UNSUITABLE`, a server that cannot keep the contract. It would say yes to everything, and do half. */
export async function inspectServer(
  connection: NatsConnection,
  manager: JetStreamManager,
  settings: Settings,
): Promise<ServerInfo> {
  const facts = factsOf(connection, settings)
  const level = await levelOf(manager, connection.info?.jetstream === true)
  const version = connection.info?.version ?? '0'
  if (level < LEVEL) throw unsuitable(version, `its JetStream has level ${level}; ${LEVEL} or higher is needed`)
  return facts
}

/** What the server that we are connected to now says of itself. Throws `SERVER_UNSUITABLE`. */
export function factsOf({ info }: NatsConnection, settings: Settings): ServerInfo {
  if (!info) throw new JobportError('UNAVAILABLE', 'the broker is not connected')
  const { version, max_payload: largest } = info
  judgeVersion(version)
  const room = largest - BESIDE
  if (room < 1) throw unsuitable(version, `its max_payload is ${largest}; more than ${BESIDE} is needed`)
  return { server: `nats ${version}`, maxPayload: Math.min(room, settings.maxPayload ?? room) }
}

/** Throws `SERVER_UNSUITABLE`. */
export function judgeVersion(version: string): void {
  const parts = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
  const differing = NEEDED.findIndex((part, i) => parts[i] !== part)
  if (parts.length > 0 && (differing < 0 || parts[differing]! > NEEDED[differing]!)) return
  throw unsuitable(version, `NATS ${NEEDED.join('.')} or newer is needed`)
}

async function levelOf(manager: JetStreamManager, enabled: boolean, asked = 1): Promise<number> {
  try {
    const { api } = (await manager.getAccountInfo()) as { api: { level?: number } }
    return api.level ?? 0
  } catch (error) {
    if (enabled && error instanceof TimeoutError && asked < ASKED_AT_MOST) return levelOf(manager, enabled, asked + 1)
    if (enabled && isPassing(error)) throw error
    throw new JobportError(
      'SERVER_UNSUITABLE',
      `nats: JetStream is not enabled, or not for this account: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

function unsuitable(version: string, why: string): JobportError {
  return new JobportError('SERVER_UNSUITABLE', `nats ${version}: ${why}`)
}
