import type { Entry } from '../src/ledger/entries.ts'

const error = { name: 'Error', message: 'no' }
const [id, uid, copy] = ['i', 'u', 'c']

/** What may be said of one life `u` under the id `i`, whose first message is `c` and whose first run is `r`. */
export const entries = {
  claim: { type: 'claim', id, uid, copy, seen: 1, body: 'b' },
  rival: { type: 'claim', id, uid: 'v', copy: 'd', seen: 1 },
  redrive: { type: 'claim', id, uid: 'w', copy: 'e', seen: 1, from: { uid, letter: 'l' } },
  probe: { type: 'probe', id },
  start: { type: 'start', uid, copy, run: 'r', tok: 1 },
  takeover: { type: 'start', uid, copy, run: 's', tok: 2, over: 'r' },
  late: { type: 'start', uid, copy, run: 't', tok: 0, over: 'r' },
  early: { type: 'start', uid, copy: 'c2', run: 'x', tok: 0 },
  end: { type: 'end', uid, run: 'r' },
  again: { type: 'again', uid, run: 'r', copy: 'c2', attempt: 2 },
  dead: { type: 'dead', uid, run: 'r', reason: 'attempts', error },
  buried: { type: 'buried', uid, letter: 'l' },
  other: { type: 'buried', uid, letter: 'm' },
  cleared: { type: 'cleared', uid },
  release: { type: 'release', uid, run: 'r' },
  remove: { type: 'remove', id },
  purge: { type: 'purge' },
  dropped: { type: 'dropped', uid, copy },
} satisfies Record<string, Entry>

export type Name = keyof typeof entries

/** How a life comes into each state. */
export const paths: Readonly<Record<string, readonly Name[]>> = {
  unknown: [],
  waiting: ['claim'],
  active: ['claim', 'start'],
  taken: ['claim', 'start', 'takeover'],
  burned: ['claim', 'start', 'early'],
  retried: ['claim', 'start', 'again'],
  ended: ['claim', 'start', 'end'],
  dead: ['claim', 'start', 'dead'],
  buried: ['claim', 'start', 'dead', 'buried'],
  cleared: ['claim', 'start', 'dead', 'buried', 'cleared'],
  redriven: ['claim', 'start', 'dead', 'buried', 'redrive'],
  removed: ['claim', 'remove'],
  rivalled: ['rival'],
  lost: ['rival', 'claim'],
  dropped: ['claim', 'remove', 'dropped'],
}

export interface Cell {
  readonly state: string
  readonly name: Name
  readonly status: string
  /** Absent: a state without a name. */
  readonly next?: string
}

/** For each state and entry the answer, then the state that it leads to if that is another; `?` has no name. */
export const cells: readonly Cell[] = read(`
    UNKNOWN:
      claim accepted>waiting, rival accepted>rivalled, redrive missing>?, probe free, start gone, takeover gone,
      late gone, early gone, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove unknown, purge purged, dropped refused
    WAITING:
      claim accepted, rival duplicate>?, redrive missing>?, probe taken, start started>active, takeover started>?,
      late started>?, early burned>?, end refused, again refused, dead refused, buried refused, other refused,
      cleared refused, release refused, remove removed>removed, purge purged>removed, dropped refused
    ACTIVE:
      claim accepted, rival duplicate>?, redrive missing>?, probe taken, start started, takeover started>taken,
      late busy, early burned>burned, end ok>ended, again ok>retried, dead ok>dead, buried refused, other refused,
      cleared refused, release ok>waiting, remove active, purge purged, dropped refused
    TAKEN:
      claim accepted, rival duplicate>?, redrive missing>?, probe taken, start busy, takeover started, late busy,
      early burned>?, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove active, purge purged, dropped refused
    BURNED:
      claim accepted, rival duplicate>?, redrive missing>?, probe taken, start started, takeover started>?, late busy,
      early burned, end ok>ended, again burned, dead ok>dead, buried refused, other refused, cleared refused,
      release ok>?, remove active, purge purged, dropped refused
    RETRIED:
      claim accepted, rival duplicate>?, redrive missing>?, probe taken, start burned>?, takeover burned>?,
      late burned>?, early started>?, end refused, again ok, dead refused, buried refused, other refused,
      cleared refused, release refused, remove removed>?, purge purged>?, dropped refused
    ENDED:
      claim accepted, rival accepted>?, redrive missing>?, probe free, start gone, takeover gone, late gone,
      early gone, end ok, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove unknown, purge purged, dropped refused
    DEAD:
      claim accepted, rival accepted>?, redrive missing>?, probe free, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead ok, buried ok>buried, other ok>?, cleared refused, release refused,
      remove unknown, purge purged, dropped refused
    BURIED:
      claim accepted, rival accepted>?, redrive accepted>redriven, probe free, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead ok, buried ok, other other, cleared ok>cleared, release refused,
      remove unknown, purge purged, dropped refused
    CLEARED:
      claim accepted, rival accepted>?, redrive missing>?, probe free, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead refused, buried refused, other refused, cleared ok,
      release refused, remove unknown, purge purged, dropped refused
    REDRIVEN:
      claim accepted, rival duplicate>?, redrive accepted, probe taken, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead ok, buried ok, other other, cleared ok>?, release refused,
      remove removed>?, purge purged>?, dropped refused
    REMOVED:
      claim accepted, rival accepted>?, redrive missing>?, probe free, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove unknown, purge purged, dropped ok>dropped
    RIVALLED:
      claim duplicate>lost, rival accepted, redrive missing>?, probe taken, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove removed>?, purge purged>?, dropped refused
    LOST:
      claim duplicate, rival accepted, redrive missing>?, probe taken, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove removed>?, purge purged>?, dropped ok>?
    DROPPED:
      claim accepted, rival accepted>?, redrive missing>?, probe free, start gone, takeover gone, late gone,
      early gone, end refused, again refused, dead refused, buried refused, other refused, cleared refused,
      release refused, remove unknown, purge purged, dropped refused
`)

function read(table: string): Cell[] {
  return [...table.matchAll(/^ {4}(\w+):((?:\n {6}.*)+)/gm)].flatMap(([, title, row]) => {
    const state = title!.toLowerCase()
    return row!.split(',').map((cell) => {
      const [name, status, next = state] = cell.trim().split(/[ >]/) as [Name, string, string?]
      return { state, name, status, ...(next !== '?' && { next }) }
    })
  })
}
