import { readFile } from 'node:fs/promises'
import { JobportError } from '@jobport/core'
import { expect, refusal, until, within } from '../assert.ts'
import { failureOf } from '../results.ts'
import { patiently, WaitError } from '../wait.ts'
import type { Case, Chapter } from '../case.ts'
import type { Ledger } from '../context.ts'
import type { Harness } from '../harness.ts'
import type { Results } from '../results.ts'

interface Suite {
  readonly harness: Harness
  readonly results: Results
  readonly ledger: Ledger
  readonly chapters: readonly Chapter[]
  /** Whether a case does not run this time. */
  readonly isLeftOut: (chapter: Chapter, each: Case) => boolean
}

/** One entry of `cases.json`. */
export interface Listed {
  readonly id: string
  readonly chapter: number
  readonly title: string
  /** `M`, or the feature that it needs. */
  readonly for: string
}

export async function listedCases(): Promise<readonly Listed[]> {
  const { cases } = JSON.parse(await readFile(new URL('../../cases.json', import.meta.url), 'utf8')) as { cases: Listed[] }
  return cases
}

/** The cases about the suite; they run last, when it can be looked back upon. */
export function metaCases({ harness, results, ledger, chapters, isLeftOut }: Suite): readonly Case[] {
  const cases = chapters.flatMap((chapter) => chapter.cases)
  return [
    {
      id: 'META-01',
      title: 'features are known, frozen, of the right types, and the same for every driver',
      run: async () => {
        const [one, two] = [harness.createDriver(), harness.createDriver()]
        expect(one.features).to.deep.equal(two.features)
        expect(Object.isFrozen(one.features)).to.equal(true)
        const { delay, dedup, priority, ordered, pause, cancel, inspect, durable } = one.features
        for (const flag of [priority, ordered, pause, durable]) expect(flag).to.be.a('boolean')
        for (const scope of [cancel, inspect]) expect(scope).to.be.oneOf([false, 'given', 'all'])
        if (delay !== false) expect(delay.granularity).to.be.within(0, delay.max)
        if (dedup !== false) expect(dedup.maxTtl).to.be.at.least(1_000)
        expect(one.contract).to.equal(1)
        expect(one.name).to.match(/^[a-z][a-z0-9-]*$/)
        await Promise.all([one.close(), two.close()])
      },
    },
    {
      id: 'META-02',
      title: 'every declared feature was exercised',
      run: async ({ features }) => {
        const used = new Set(cases.filter(({ id }) => results.get(id)?.status === 'passed').map(({ needs }) => needs))
        for (const [feature, declared] of Object.entries(features)) {
          if (declared !== false)
            expect(used.has(feature as keyof typeof features), `a case that passed and needs '${feature}'`).to.equal(true)
        }
      },
    },
    {
      id: 'META-03',
      title: 'every feature that is not declared was refused',
      run: async ({ features }) => {
        const lacking = Object.entries(features)
          .filter(([, declared]) => declared === false)
          .map(([feature]) => feature)
        const refused = new Set(
          cases.filter(({ id }) => results.get(id)?.status === 'refused').map(({ needs }) => needs as string),
        )
        expect(lacking.filter((feature) => !refused.has(feature))).to.deep.equal([])
      },
    },
    {
      id: 'META-05',
      title: 'case ids are unique and well formed',
      run: async () => {
        const ids = cases.map(({ id }) => id)
        expect(ids.filter((id, i) => ids.indexOf(id) !== i)).to.deep.equal([])
        for (const id of ids) expect(id).to.match(/^[A-Z]+-(\d\d|K\d)$/)
      },
    },
    {
      id: 'META-06',
      title: 'a wait that is not fulfilled fails by its deadline, with what was seen',
      run: async () => {
        const start = performance.now()
        const error = await until(
          () => false,
          'the impossible',
          () => ({ seen: 3 }),
          50,
        ).catch((thrown: unknown) => thrown)
        expect(error).to.be.instanceOf(WaitError)
        expect((error as Error).message)
          .to.include('the impossible')
          .and.include('{"seen":3}')
        expect(performance.now() - start).to.be.below(patiently(2_000))
      },
    },
    {
      id: 'META-07',
      title: 'every case was torn down, and nothing of it is left in the broker',
      run: async () => {
        expect(ledger.closed).to.equal(ledger.opened - 1)
        expect((await harness.leftovers?.([...ledger.queues])) ?? []).to.deep.equal([])
      },
    },
    {
      id: 'META-08',
      title: 'every listed case was reached and asserted something',
      run: async () => {
        const leftOut = new Set(
          chapters.flatMap((chapter) => chapter.cases.filter((each) => isLeftOut(chapter, each)).map(({ id }) => id)),
        )
        const listed = (await listedCases()).filter(({ id, chapter }) => chapter > 0 && !leftOut.has(id))
        const reached = results.all().filter(({ chapter, status }) => chapter > 0 && status !== 'unreached')
        const missing = listed.filter(({ id }) => !reached.some((result) => result.id === id)).map(({ id }) => id)
        const unlisted = reached.filter(({ id }) => !listed.some((entry) => entry.id === id)).map(({ id }) => id)
        expect({ missing, unlisted }, `missing: ${missing.join(' ')}; unlisted: ${unlisted.join(' ')}`).to.deep.equal({
          missing: [],
          unlisted: [],
        })
      },
    },
    {
      id: 'META-09',
      title: "a failure on a case's own assertion is told from an error and from a timeout",
      run: async () => {
        const told = async (work: () => unknown): Promise<boolean> => failureOf(await thrownBy(work)).byAssertion
        expect(await told(() => expect(1).to.equal(2)), 'an assertion').to.equal(true)
        expect(
          await told(() =>
            until(
              () => false,
              'nothing',
              () => 0,
              10,
            ),
          ),
          'a wait of its own',
        ).to.equal(true)
        expect(await told(() => within(10, 'for ever', new Promise(() => {}))), 'a deadline of its own').to.equal(true)
        expect(await told(() => refusal(async () => 1, 'CLOSED')), 'a missing refusal').to.equal(true)
        expect(await told(() => JSON.parse('{')), 'an error').to.equal(false)
        expect(
          await told(() => Promise.reject(new JobportError('TIMEOUT', 'add took too long'))),
          'an error of the broker',
        ).to.equal(false)
        expect(await told(() => Promise.reject(new Error('Timeout of 120000ms exceeded.'))), "the runner's timeout").to.equal(
          false,
        )
      },
    },
  ]
}

async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    return await work()
  } catch (thrown) {
    return thrown
  }
}
