import { explore } from '@jobport/conformance'
import { openVirtual } from '@jobport/adapter-memory'

describe('memory, histories of known seeds', function () {
  this.timeout(60_000)

  for (const seed of [1, 2])
    it(`seed ${seed}`, async () => {
      await explore({ ...openVirtual(), names: [['orders', 'orders-more']], seed, sequences: 100, shrinking: 0 })
    })
})
