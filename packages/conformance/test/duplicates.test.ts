import { expect } from 'chai'
import { duplicatesOf, unexplainedBy, type Fallen } from '../src/duplicates.ts'
import type { Report } from '../src/child.ts'

/** A child that told of these runs. */
function child(...runs: readonly (readonly [uid: string, attempt: number, at: number])[]): { reports: Report[] } {
  return { reports: runs.map(([uid, attempt, at]) => ({ type: 'active', id: uid, uid, attempt, crashes: 0, at })) }
}

function blow(from: number, until: number, workers: Fallen['workers'] = 'all'): Fallen {
  return { blow: 'a blow', from, until, workers }
}

const fenced = (): boolean => true

describe('duplicates of a torture', () => {
  it('are runs of one attempt, each after the one before it, in whatever process', () => {
    const children = [child(['a', 1, 10], ['b', 1, 20], ['b', 2, 30]), child(['a', 1, 40]), child(['a', 1, 25])]
    expect(duplicatesOf(children)).to.deep.equal([
      { uid: 'a', first: 10, again: 25, processes: [0, 2] },
      { uid: 'a', first: 25, again: 40, processes: [2, 1] },
    ])
  })

  it('are explained by a blow between the two runs, and by one that was over shortly before', () => {
    const duplicate = { uid: 'a', first: 10_000, again: 12_000, processes: [0, 0] } as const
    expect(unexplainedBy([duplicate], [blow(11_000, 11_500)], fenced)).to.deep.equal([])
    expect(unexplainedBy([duplicate], [blow(4_000, 5_000)], fenced)).to.deep.equal([])
    expect(unexplainedBy([duplicate], [blow(4_000, 4_999)], fenced)).to.deep.equal([duplicate])
    expect(unexplainedBy([duplicate], [blow(12_001, 13_000)], fenced)).to.deep.equal([duplicate])
  })

  it('are not explained by what befell a worker that did not run it', () => {
    const duplicate = { uid: 'a', first: 10_000, again: 12_000, processes: [1, 3] } as const
    expect(unexplainedBy([duplicate], [blow(11_000, 11_500, [0, 2])], fenced)).to.deep.equal([duplicate])
    expect(unexplainedBy([duplicate], [blow(11_000, 11_500, [0, 1])], fenced)).to.deep.equal([])
    expect(unexplainedBy([duplicate], [blow(9_000, 11_500, [3])], fenced)).to.deep.equal([])
    expect(unexplainedBy([duplicate], [blow(11_000, 11_500, [])], fenced)).to.deep.equal([duplicate])
  })

  it('are explained by the first of them where settlements are not fenced: such a job goes on twice', () => {
    const first = { uid: 'a', first: 10_000, again: 10_100, processes: [0, 1] } as const
    const later = { uid: 'a', first: 50_000, again: 50_100, processes: [2, 3] } as const
    const fallen = [blow(10_050, 10_060, [0])]
    expect(unexplainedBy([first, later], fallen, () => false)).to.deep.equal([])
    expect(unexplainedBy([first, later], fallen, fenced)).to.deep.equal([later])
    expect(unexplainedBy([later], fallen, () => false)).to.deep.equal([later])
  })
})
