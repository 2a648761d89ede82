import { expect } from 'chai'
import * as fc from 'fast-check'
import { fold } from '../src/ledger/fold.ts'
import { Loader } from '../src/ledger/loader.ts'
import { digest } from '../src/ledger/snapshot.ts'
import { State } from '../src/ledger/state.ts'
import { View } from '../src/ledger/view.ts'
import { decodeBatch, encodeBatch } from '../src/ledger/wire.ts'
import { arbitraryStep, type Step } from './arbitrary.ts'
import { Log, restart, toRecord } from './log.ts'
import { cells, entries, paths, type Cell } from './table.ts'

const steps = fc.array(arbitraryStep, { minLength: 1, maxLength: 120 })
/** Without offsets in the state, which move when messages are sent again. */
const transitions = steps.map((all) =>
  all.map((step) => ({ ...step, entries: step.entries.filter(({ type }) => type !== 'begin') })),
)

function play(all: readonly Step[], log: Log = new Log()): Log {
  for (const { writer, entries, later } of all) {
    log.at += later
    log.write(entries, { writer })
  }
  return log
}

function walk(path: readonly (keyof typeof entries)[]): Log {
  const log = new Log()
  for (const name of path) log.ask(entries[name])
  return log
}

describe('fold', () => {
  describe('in every order', () => {
    const byState = Map.groupBy(cells, ({ state }) => state)

    it('has a row for each state and a cell for each entry', () => {
      expect([...byState.keys()]).to.deep.equal(Object.keys(paths))
      for (const row of byState.values()) expect(row.map(({ name }) => name)).to.deep.equal(Object.keys(entries))
    })

    for (const [state, row] of byState) {
      it(`answers each entry on a life that is ${state}`, () => {
        const answers = row.map(({ name }) => `${name} ${walk(paths[state]!).status(entries[name])}`)
        expect(answers).to.deep.equal(row.map(({ name, status }) => `${name} ${status}`))
      })

      it(`answers each pair of entries on a life that is ${state}`, () => {
        const pairs = row.flatMap((first) => (byState.get(first.next ?? '') ?? []).map((second): [Cell, Cell] => [first, second]))
        expect(pairs.length).to.be.greaterThan(100)
        for (const [first, second] of pairs) {
          const log = walk(paths[state]!)
          const answers = [log.status(entries[first.name]), log.status(entries[second.name])]
          expect(answers, `${first.name}, ${second.name}`).to.deep.equal([first.status, second.status])
        }
      })
    }
  })

  describe('as one state machine', () => {
    it('comes to one state from any snapshot, with the same answers on the way', async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.nat(), async (all, cut) => {
          const log = play(all)
          const at = 1 + (cut % log.records.length)
          const early = new State()
          for (const { batch, offset } of log.records.slice(0, at)) fold(early, batch, offset)
          const state = await restart(early)
          const answers = log.records.slice(at).map(({ batch, offset }) => fold(state, batch, offset))
          expect(answers).to.deep.equal(log.records.slice(at).map(({ folding }) => folding))
          expect(digest(state)).to.equal(digest(log.state))
          expect(new View(() => state).counts(log.at)).to.deep.equal(new View(() => log.state).counts(log.at))
          expect([state.active, state.bodies]).to.deep.equal([log.state.active, log.state.bodies])
        }),
      )
    })

    it('folds whatever is sent again once', () => {
      fc.assert(
        fc.property(transitions, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 }), (all, again) => {
          const log = play(all)
          const sent = log.records.map(({ batch }) => batch)
          for (const [which, delay] of again) {
            const original = which % sent.length
            const at = original + 1 + (delay % (sent.length - original))
            sent.splice(at, 0, sent[original]!)
          }
          const state = new State()
          const answers = sent.map((batch, offset) => fold(state, batch, offset)).filter((folding) => folding !== 'repeat')
          expect(answers).to.deep.equal(log.records.map(({ folding }) => folding))
          expect(digest(state)).to.equal(digest(log.state))
        }),
      )
    })

    it('changes nothing for what is sent again after its writer was forgotten', () => {
      fc.assert(
        fc.property(steps, fc.nat(), (all, which) => {
          const log = play(all, new Log({ memory: 8 }))
          const before = known(log.state)
          const folding = log.repeat(log.records[which % log.records.length]!.batch)
          const harmless =
            folding === 'repeat' ||
            (Array.isArray(folding) && folding.every(({ status }) => status === 'stale' || status === 'ok'))
          expect(harmless, JSON.stringify(folding)).to.equal(true)
          expect(known(log.state)).to.deep.equal(before)
        }),
      )
    })

    it('never has two holders of an id, two owners of a life, or a life after its end', () => {
      fc.assert(
        fc.property(steps, (all) => {
          const log = new Log()
          const over = new Set<string>()
          for (const step of all) {
            play([step], log)
            const lives = [...log.state.standing.values()].filter((fate) => fate.kind === 'live')
            expect(new Set(lives.map(({ id }) => id)).size).to.equal(lives.length)
            expect([...log.state.holders.values()]).to.deep.equal(lives)
            for (const { uid } of lives) expect(over.has(uid)).to.equal(false)
            for (const [uid, { kind }] of [...log.state.standing, ...log.state.finished]) if (kind !== 'live') over.add(uid)
            expect(log.state.active).to.equal(lives.filter(({ run }) => run !== undefined).length)
            expect(log.state.bodies).to.equal(lives.reduce((sum, { body = '' }) => sum + body.length, 0))
          }
        }),
      )
    })

    it('loses no life that it accepted', () => {
      fc.assert(
        fc.property(steps, (all) => {
          const log = play(all)
          const accepted = new Set<string>()
          for (const { batch, folding } of log.records) {
            for (const [i, entry] of batch.entries.entries()) {
              if (entry.type === 'claim' && Array.isArray(folding) && folding[i].status === 'accepted') accepted.add(entry.uid)
            }
          }
          const lost = (uid: string): boolean => {
            const fate = log.state.fate(uid)
            return fate === undefined || ((fate.kind === 'tomb' || fate.kind === 'finished') && fate.why === 'lost')
          }
          expect([...accepted].filter(lost)).to.deep.equal([])
        }),
      )
    })

    it('comes over the wire as it was', () => {
      fc.assert(
        fc.property(steps, (all) => {
          for (const { batch } of play(all).records) expect(decodeBatch(encodeBatch(batch))).to.deep.equal({ batch })
        }),
      )
    })

    it('is loaded from the log, wherever reading it begins', async () => {
      await fc.assert(
        fc.asyncProperty(transitions, transitions, transitions, fc.nat(), async (before, within, after, cut) => {
          const log = play(before)
          const of = log.records.length
          log.snapshot(() => play(within, log))
          play(after, log)
          log.write([{ type: 'open', epoch: 'mine', memory: 1 }], { epoch: '', writer: 'starter' })
          const begin = 1 + (cut % of)
          const loader = new Loader('starter')
          for (const record of log.records.slice(begin)) loader.push(toRecord(record))
          const { state, offset } = await loader.state()
          expect(offset).to.equal(of)
          for (const { offset: at, batch } of loader.after(offset)) fold(state, batch!, at)
          expect(digest(state)).to.equal(digest(log.state))
          expect(state.head.snapshot).to.equal(of)
        }),
        { numRuns: 50 },
      )
    })
  })
})

/** All that is said of jobs, but for those over, which are forgotten as entries go by. */
function known({ standing, windows }: State): unknown {
  return [[...standing], [...windows]]
}
