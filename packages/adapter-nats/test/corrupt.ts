import { connect } from '@nats-io/transport-node'

/** A waiting job whose data is torn JSON, as any client could publish it. */
export async function corrupt(url: string, queue: string): Promise<void> {
  const connection = await connect({ servers: url.replace(/^nats:\/\//, '') })
  try {
    await connection.request(`jobport.${queue}.w.0.torn.1`, '{"half":')
  } finally {
    await connection.close()
  }
}
