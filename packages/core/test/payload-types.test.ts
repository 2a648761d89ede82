import { Broker, type NewJob, type Receipt } from '@jobport/core'
import { expect } from 'chai'

type OrderJobs = { pay: { amount: number }; confirm: { email: string } }

describe('payload types', () => {
  const queue = new Broker('memory://').queue<OrderJobs>('orders')

  it('refuse at compile time the payload of another name, in a mixed addMany too', () => {
    const jobs: NewJob<OrderJobs>[] = [
      { name: 'pay', data: { amount: 1 } },
      // @ts-expect-error: the payload of 'confirm' has an email
      { name: 'confirm', data: { amount: 1 } },
    ]
    // @ts-expect-error: likewise
    const add = () => queue.add('confirm', { amount: 1 })
    expect([jobs.length, typeof add]).to.deep.equal([2, 'function'])
  })

  it('know that an added job has a uid', () => {
    const uidOf = (receipt: Receipt): string | undefined => (receipt.added ? receipt.uid.toUpperCase() : receipt.uid)
    expect(uidOf({ id: 'a', added: true, uid: 'u' })).to.equal('U')
  })
})
