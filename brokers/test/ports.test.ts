import { expect } from 'chai'
import { freePort } from '../ports.ts'

describe('free ports', () => {
  it('are given once each, below the range that the system gives to clients', async () => {
    const ports = await Promise.all(Array.from({ length: 500 }, freePort))
    expect(new Set(ports)).to.have.lengthOf(500)
    for (const port of ports) expect(port).to.be.within(20_000, 29_999)
  })
})
