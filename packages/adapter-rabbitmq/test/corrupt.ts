import { connect } from 'amqplib'

/** A waiting message whose body is torn JSON, from a client that has never heard of Jobport. */
export async function corrupt(url: string, queue: string): Promise<void> {
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  channel.sendToQueue(`jobport.${queue}`, Buffer.from('{"half":'), {
    type: 'torn',
    messageId: `torn-${Date.now()}`,
    persistent: true,
  })
  await channel.waitForConfirms()
  await connection.close()
}
