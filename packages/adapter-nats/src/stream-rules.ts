import { DiscardPolicy, RetentionPolicy, StorageType, type ConsumerInfo, type StreamConfig } from '@nats-io/jetstream'
import type { Names } from './names.ts'

const NEEDED = {
  allow_direct: true,
  allow_msg_ttl: true,
  allow_msg_schedules: true,
  allow_atomic: true,
  allow_rollup_hdrs: true,
} as const

/** Priorities, each with a consumer. */
const CONSUMERS = 10

/** A queue's stream, as it is made. */
export function streamOf(names: Names, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: names.stream,
    description: `Jobs of ${names.queue} (Jobport)`,
    subjects: [names.all],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    num_replicas: replicas,
    ...NEEDED,
  }
}

/**
 * What in a stream's configuration would break a promise. Older servers pass over what they do not know, a stream of
 * that name may be somebody else's, and an operator may change one at any time:
 * https://docs.nats.io/nats-concepts/jetstream/streams#configuration
 */
export function configFaults(config: StreamConfig, names: Names, maxPayload: number): string[] {
  const { retention, subjects = [], max_age, max_msgs, max_bytes, max_msgs_per_subject, max_msg_size, max_consumers } = config
  const isMade = retention === RetentionPolicy.Workqueue && subjects.length === 1 && subjects[0] === names.all
  if (!isMade || config.mirror || config.sources?.length) return ['is not of our making']
  const limits = Object.entries({ max_age, max_msgs, max_bytes, max_msgs_per_subject }).filter(([, limit]) => limit > 0)
  const lacking = Object.keys(NEEDED).filter((flag) => config[flag as keyof typeof NEEDED] !== true)
  const barred = (['sealed', 'deny_delete', 'deny_purge', 'no_ack'] as const).filter((flag) => config[flag])
  return [
    ...limits.map(([name, limit]) => `throws jobs away (${name}: ${limit})`),
    ...lacking.map((flag) => `lacks ${flag}`),
    ...barred.map((flag) => `has ${flag}`),
    ...(config.storage === StorageType.File ? [] : [`is kept in ${config.storage}`]),
    ...(config.persist_mode === 'async' ? ['confirms what it has not stored (persist_mode: async)'] : []),
    ...(max_msg_size > 0 && max_msg_size < maxPayload ? [`takes too small messages (max_msg_size: ${max_msg_size})`] : []),
    ...(max_consumers > 0 && max_consumers < CONSUMERS ? [`takes too few consumers (max_consumers: ${max_consumers})`] : []),
    ...(config.subject_transform ? ['changes subjects (subject_transform)'] : []),
    ...(config.subject_delete_marker_ttl ? ['writes markers of its own (subject_delete_marker_ttl)'] : []),
    ...(limitsConsumers(config) ? ['limits its consumers (consumer_limits)'] : []),
  ]
}

/** Any other consumer of a work queue takes jobs or dead letters out of it; so does a stream that sources or mirrors it. */
export function consumerFaults(consumers: readonly ConsumerInfo[]): string[] {
  return consumers.flatMap(({ name, config }) => {
    if (!isOurs(name)) return [`is consumed by somebody else (consumer ${name})`]
    const { max_deliver = -1, backoff, inactive_threshold = 0 } = config
    if (max_deliver > 0) return [`has a consumer that gives jobs up (${name}, max_deliver: ${max_deliver})`]
    if (backoff?.length || inactive_threshold > 0) return [`has a consumer with backoff or inactive_threshold (${name})`]
    return []
  })
}

/** Whether it is the consumer of a priority. */
export function isOurs(consumer: string): boolean {
  return /^w\d$/.test(consumer)
}

function limitsConsumers({ consumer_limits: limits }: StreamConfig): boolean {
  return (limits?.max_ack_pending ?? -1) > 0 || (limits?.inactive_threshold ?? 0) > 0
}
