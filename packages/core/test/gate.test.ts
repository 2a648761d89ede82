import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { Broker } from '@jobport/core'
import { Gate } from '../src/gate.ts'
import { ScriptedDriver } from './scripted-driver.ts'

describe('calls to a broker', () => {
  it('pass a gate in order, a fixed number at once', async () => {
    const gate = new Gate(2)
    const entered: number[] = []
    const enter = async (i: number): Promise<void> => {
      expect(await gate.enter(10_000)).to.equal(true)
      entered.push(i)
    }
    const all = [0, 1, 2, 3].map(enter)
    await sleep(5)
    expect(entered).to.deep.equal([0, 1])
    gate.leave()
    gate.leave()
    await Promise.all(all)
    expect(entered).to.deep.equal([0, 1, 2, 3])
  })

  it('wait at a gate no longer than told, and lose no place by it', async () => {
    const gate = new Gate(1)
    expect(await gate.enter(10)).to.equal(true)
    expect(await gate.enter(10)).to.equal(false)
    gate.leave()
    expect(await gate.enter(10)).to.equal(true)
  })

  it('are at most 64 in flight; the rest wait, and end by the deadline', async () => {
    const driver = new ScriptedDriver({ inspect: 'all' })
    let flying = 0
    let peak = 0
    let hang = false
    const counts = async (): Promise<never> => {
      peak = Math.max(peak, ++flying)
      await (hang ? new Promise(() => {}) : sleep(1))
      flying--
      return {} as never
    }
    driver.admin = () => ({ counts }) as never
    const patient = new Broker(driver)
    await Promise.all(Array.from({ length: 1_000 }, () => patient.queue('q').counts()))
    expect(peak).to.equal(64)
    await patient.close()
    hang = true
    const broker = new Broker(driver, { deadline: 100 })
    const queue = broker.queue('q')
    const codes = await Promise.all(
      Array.from({ length: 200 }, () => queue.counts().then(String, ({ code }: { code: string }) => code)),
    )
    expect([...new Set(codes)]).to.deep.equal(['TIMEOUT'])
    hang = false
    await queue.counts()
    await broker.close()
  })
})
