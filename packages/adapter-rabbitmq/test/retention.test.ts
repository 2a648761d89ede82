import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { claim, expectSame, useLedgers } from './ledgers.ts'
import type { Client } from './client.ts'
import type { LedgerOptions } from '../src/ledger/api.ts'
import type { Ledger } from '../src/ledger/ledger.ts'

describe('Ledger over a long time', function () {
  this.timeout(60_000)
  const fixture = useLedgers()
  const { clients } = fixture
  const client = (): Client => fixture.client()
  const open = (options?: Partial<LedgerOptions>): Promise<Ledger> => fixture.open(options)

  it('keeps every live claim while the log is cut off behind it', async () => {
    const sizes = { retention: 3_000_000, segment: 300_000, memory: 1_000, snapshotEvery: 1_000 }
    const [a, b, sleeper] = [await open(sizes), await open(sizes), await open(sizes)]
    await a.append(claim(a, 'old', 'u', { body: 'kept' }))
    await sleeper.sync()
    clients[2]!.away = true
    await clients[2]!.cut()
    for (let round = 0; round < 60; round++) {
      await Promise.all(
        Array.from({ length: 500 }, async (_, i) => {
          const uid = `${round}.${i}`
          const ledger = i % 2 === 0 ? a : b
          await ledger.append(claim(ledger, uid, uid, { body: 'x'.repeat(100) }))
          await ledger.append({ type: 'remove', id: uid })
          await ledger.append({ type: 'dropped', uid, copy: `${uid}-1` })
        }),
      )
    }
    const first = await firstOffset(clients[0]!, fixture.stream)
    expect(first).to.be.greaterThan(0)
    const starter = await open(sizes)
    expect(starter.state.holder('old')).to.include({ uid: 'u', body: 'kept' })
    clients[2]!.away = false
    expect(await sleeper.append(claim(sleeper, 'old', 'v'))).to.deep.equal({ status: 'stale' })
    expect(await sleeper.append(claim(sleeper, 'old', 'v'))).to.deep.equal({ status: 'duplicate', uid: 'u' })
    await expectSame(a, b, sleeper, starter)
    expect(clients.flatMap(({ told }) => told).filter((event) => event.startsWith('error'))).to.deep.equal([])
  })

  it('starts with no state at all rather than a wrong one', async () => {
    const sizes = { retention: 2_000_000, segment: 200_000 }
    const ledger = await open(sizes)
    await ledger.append(claim(ledger, 'i', 'u'))
    await ledger.close()
    const channel = await clients[0]!.channel()
    while ((await firstOffset(clients[0]!, fixture.stream)) === 0) {
      for (let i = 0; i < 100; i++) channel.sendToQueue(fixture.stream, Buffer.alloc(10_000, 'x'))
      await channel.waitForConfirms()
    }
    expect(
      await client()
        .ledger(fixture.stream, sizes)
        .start()
        .catch((error: unknown) => error),
    ).to.include({ code: 'SERVER_UNSUITABLE' })
  })

  it('refuses what has no room, before it is appended', async () => {
    const ledger = await open({ retention: 2_000_000, segment: 200_000 })
    const body = 'x'.repeat(200_000)
    expect(await ledger.append(claim(ledger, 'i', 'u', { body }))).to.deep.equal({ status: 'accepted' })
    expect(await ledger.append(claim(ledger, 'j', 'v', { body }))).to.deep.equal({ status: 'accepted' })
    const refused = await ledger.append(claim(ledger, 'k', 'w', { body })).catch((error: unknown) => error)
    expect(refused).to.include({ code: 'REJECTED', id: 'k' })
    await ledger.append({ type: 'remove', id: 'i' })
    expect(await ledger.append(claim(ledger, 'k', 'w', { body }))).to.deep.equal({ status: 'accepted' })
  })

  it('starts with 100,000 live ids in under two seconds', async () => {
    const writer = await open()
    for (let from = 0; from < 100_000; from += 10_000) {
      await Promise.all(
        Array.from({ length: 10_000 }, (_, i) =>
          writer.append(claim(writer, `order:${from + i}`, crypto.randomUUID(), { body: 'x'.repeat(200) })),
        ),
      )
    }
    const starter = client().ledger(fixture.stream)
    const [began, cpu] = [performance.now(), process.cpuUsage()]
    await starter.start()
    const took = performance.now() - began
    const { user, system } = process.cpuUsage(cpu)
    console.log(
      `      ${Math.round(took)} ms, of which ${Math.round((user + system) / 1_000)} ms CPU, at ${starter.seen} entries`,
    )
    expect(starter.state.counts().waiting).to.equal(100_000)
    // the machine may have other work
    expect((user + system) / 1_000).to.be.lessThan(patiently(2_000))
    await expectSame(writer, starter)
  })
})
async function firstOffset(client: Client, stream: string): Promise<number> {
  const channel = await client.channel()
  await channel.prefetch(1)
  const { promise, resolve } = Promise.withResolvers<number>()
  await channel.consume(stream, (message) => resolve(Number(message?.properties.headers?.['x-stream-offset'])), {
    arguments: { 'x-stream-offset': 'first' },
  })
  const offset = await promise
  await channel.close()
  return offset
}
