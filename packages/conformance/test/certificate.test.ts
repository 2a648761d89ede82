import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import { MemoryDriver } from '@jobport/adapter-memory'
import { expect as counted, until } from '../src/assert.ts'
import { certificateOf, type Certificate, type Circumstances } from '../src/certificate.ts'
import { certify } from '../src/certify.ts'
import { chapters } from '../src/chapters/index.ts'
import { listedCases } from '../src/chapters/meta.ts'
import { markdownOf } from '../src/markdown.ts'
import { writeCertificate } from '../src/write.ts'
import { Results, type Result, type Status, type Timings } from '../src/results.ts'
import { Bench } from '../src/bench.ts'
import { memory } from './memory.ts'
import schema from '../certificate.schema.json' with { type: 'json' }
import type { Case, Chapter } from '../src/case.ts'

const { features } = new MemoryDriver()
const CIRCUMSTANCES: Circumstances = { adapter: 'made', features, versions: { server: 'made 1.2' } }
const DATE = new Date('2026-11-25T10:00:00Z')

const result = (status: Status, over: Partial<Result> = {}): Result => ({
  id: `LIFE-${status}`,
  chapter: 1,
  title: `which ${status}`,
  status,
  assertions: 1,
  ms: 5,
  ...over,
})

function certificate(results: readonly Result[], timings: Partial<Timings> = {}): Certificate {
  const all = new Results(7, { lateness: [], disorder: [], redelivery: [], ...timings })
  for (const each of results) all.record(each)
  return certificateOf(all, CIRCUMSTANCES, DATE)
}

describe('certificate, on made results', () => {
  it('certifies what passed, was refused as declared, or does not apply', () => {
    expect(certificate([result('passed'), result('refused'), result('not applicable')]).certified).to.equal(true)
  })

  it('does not certify a failure, a case that was not reached, or nothing', () => {
    for (const status of ['failed', 'unreached'] as const)
      expect(certificate([result('passed'), result(status)]).certified, status).to.equal(false)
    expect(certificate([]).certified).to.equal(false)
  })

  it('counts by chapter, the suite itself first, and keeps every case', () => {
    const results = [
      result('passed'),
      result('passed', { id: 'LIFE-b' }),
      result('failed', { id: 'ORD-a', chapter: 7 }),
      result('refused', { id: 'META-a', chapter: 0 }),
    ]
    const { chapters: tallies, cases } = certificate(results)
    expect(tallies.map(({ number }) => number)).to.deep.equal([0, ...chapters.map(({ number }) => number)])
    expect(tallies.find(({ number }) => number === 1)).to.include({
      title: 'lifecycle',
      passed: 2,
      failed: 0,
      refused: 0,
      unreached: 0,
    })
    expect(tallies.find(({ number }) => number === 7)).to.include({ passed: 0, failed: 1 })
    expect(tallies[0]).to.include({ refused: 1 })
    expect(cases).to.deep.equal(results)
  })

  it('takes the last that was said of a case', () => {
    expect(certificate([result('unreached', { id: 'LIFE-a' }), result('passed', { id: 'LIFE-a' })])).to.include({
      certified: true,
    })
  })

  it('shows the lateness as median, 95th and 99th percentile and maximum, and none where nothing was delayed', () => {
    const lateness = Array.from({ length: 100 }, (_, i) => 99 - i)
    expect(certificate([result('passed')], { lateness }).lateness).to.deep.equal({
      jobs: 100,
      p50: 50,
      p95: 95,
      p99: 99,
      max: 99,
    })
    expect(certificate([result('passed')])).to.not.have.property('lateness')
  })

  it('names seed, date and versions', () => {
    const { seed, date, versions } = certificate([result('passed')])
    expect({ seed, date }).to.deep.equal({ seed: 7, date: DATE.toISOString() })
    expect(versions).to.include({ server: 'made 1.2', node: process.versions.node })
    expect(versions['core']).to.match(/^\d+\.\d+\.\d+/)
  })

  it('reads as Markdown: the verdict, a row a chapter, the features, and each case that did not simply pass', () => {
    const failure = result('failed', { reason: 'expected 1\n   to equal 2' })
    const text = markdownOf(
      certificate([failure, result('unreached'), result('refused'), result('not applicable', { reason: 'no socket' })], {
        lateness: [3],
        redelivery: [1_500, 1_600],
      }),
    )
    expect(text).to.match(/^# made: NOT certified\n/)
    expect(text).to.include('2026-11-25 · core ').and.include(' · server made 1.2 · ').and.include('seed 7')
    expect(text).to.include('| 1 lifecycle | 0 | 2 | 1 | 1 |')
    expect(text).to.include('started late by, ms: p50 3 · p95 3 · p99 3 · max 3 (1 jobs)')
    expect(text).to.include('ran again after, ms: p50 1600 · p95 1600 · p99 1600 · max 1600 (2 jobs)')
    expect(text)
      .to.include('| `priority` | yes |')
      .and.include('| `durable` | no |')
      .and.include('| `delay` | granularity 50 ms, max ')
    expect(text).to.include('## Failed\n\n- LIFE-failed which failed — expected 1 to equal 2\n- LIFE-unreached which unreached\n')
    expect(text).to.include('## Refused as declared\n\n- LIFE-refused which refused\n')
    expect(text).to.include('## Not applicable\n\n- LIFE-not applicable which not applicable — no socket\n')
  })

  it('has no section for what did not occur', () => {
    const text = markdownOf(certificate([result('passed')]))
    expect(text).to.match(/^# made: certified\n/)
    expect(text).to.not.include('## ')
  })
})

describe('certificate, written', () => {
  it('lies in a folder made for it, as JSON and as Markdown, named by adapter and server', async () => {
    const made = await mkdtemp(join(tmpdir(), 'jobport-certificate-'))
    const folder = join(made, 'deep', 'down')
    const written = certificate([result('passed', { duplicates: 2 }), result('refused')], { lateness: [3] })
    const files = await writeCertificate(written, 'Made 1.2', folder)
    expect(files).to.deep.equal([join(folder, 'made.md'), join(folder, 'made.json')])
    expect(await readFile(files[0]!, 'utf8')).to.equal(markdownOf(written))
    expect(JSON.parse(await readFile(files[1]!, 'utf8'))).to.deep.equal(written)
    const isCertificate = new Ajv2020({ strict: true, formats: { 'date-time': true } }).compile(schema)
    expect(isCertificate(written), JSON.stringify(isCertificate.errors)).to.equal(true)
    expect(isCertificate({ ...written, secret: 1 })).to.equal(false)
    await writeCertificate(written, 'redis 8.0.6', folder)
    expect((await readdir(folder)).toSorted()).to.deep.equal(['made-redis.json', 'made-redis.md', 'made.json', 'made.md'])
    await rm(made, { recursive: true })
  })
})

describe('certify, with a runner injected', function () {
  this.timeout(30_000)

  const chapterOf = (...cases: readonly Pick<Case, 'id' | 'run'>[]): Chapter => ({
    number: 1,
    title: 'made',
    cases: cases.map((each) => ({ title: 'made', ...each })),
  })
  const run = async (chapter: Chapter, only?: ReadonlySet<string>): Promise<{ results: Results; bench: Bench }> => {
    const bench = new Bench()
    const results = certify(memory(), { runner: bench, chapters: [chapter], ...(only && { only }) })
    await bench.run()
    return { results, bench }
  }
  const outcome = async (work: Case['run']): Promise<{ result: Result | undefined; failed: number }> => {
    const { results, bench } = await run(chapterOf({ id: 'LIFE-01', run: work }), new Set(['LIFE-01']))
    return { result: results.get('LIFE-01'), failed: bench.failed.length }
  }

  it('fails a case that makes no assertion: it is unreached', async () => {
    const { result, failed } = await outcome(async ({ queue }) => void (await queue.add('a', 1)))
    expect(result).to.include({ status: 'unreached', reason: 'it made no assertion', assertions: 0 })
    expect(failed).to.equal(1)
  })

  it('tells a failed assertion, and a wait that was not fulfilled, from an error', async () => {
    const asserted = await outcome(async () => void counted(1).to.equal(2))
    const waited = await outcome(() =>
      until(
        () => false,
        'nothing',
        () => 0,
        20,
      ),
    )
    const thrown = await outcome(async ({ queue }) => void (await queue.add('', 1)))
    expect(asserted.result).to.include({ status: 'failed', byAssertion: true, reason: 'expected 1 to equal 2' })
    expect(waited.result).to.include({ status: 'failed', byAssertion: true })
    expect(thrown.result).to.include({ status: 'failed', byAssertion: false })
    expect(asserted.failed + waited.failed + thrown.failed).to.equal(3)
  })

  it('tells a case that its runner gave up from one that failed', async () => {
    const gate = Promise.withResolvers<void>()
    const bench = new Bench()
    const endless: Case['run'] = async () => {
      counted(1).to.equal(1)
      await gate.promise
    }
    const results = certify(memory(), {
      runner: bench,
      chapters: [chapterOf({ id: 'LIFE-01', run: endless })],
      only: new Set(['LIFE-01']),
    })
    const running = bench.run()
    expect(results.get('LIFE-01'))
      .to.include({ status: 'unreached', reason: 'it did not end' })
      .and.not.have.property('byAssertion')
    gate.resolve()
    await running
    expect(results.get('LIFE-01')).to.include({ status: 'passed', assertions: 1 })
  })

  it('fails a case whose world does not close', async () => {
    const { result, failed } = await outcome(async ({ driver }) => {
      const held = await driver()
      await held.close()
      Object.assign(held, { close: () => Promise.reject(new Error('stuck')) })
      counted(held.name).to.equal('memory')
    })
    expect(result).to.include({ status: 'failed', reason: 'stuck', byAssertion: false })
    expect(failed).to.equal(1)
  })

  it('fails META-08, naming them, when cases that are listed did not run, and when one ran that is not listed', async () => {
    const [first, ...others] = (await listedCases()).filter(({ chapter }) => chapter > 0)
    const fine = async (): Promise<void> => void counted(1).to.equal(1)
    const { results, bench } = await run(chapterOf({ id: first!.id, run: fine }, { id: 'LIFE-99', run: fine }))
    expect(results.get('META-08')).to.include({ status: 'failed', byAssertion: true })
    expect(bench.failed.some((title) => title.startsWith('META-08'))).to.equal(true)
    expect(results.get('META-05')).to.include({ status: 'passed' })
    expect(others.length).to.be.greaterThan(100)
    const { reason } = results.get('META-08')!
    expect(reason).to.include(others[0]!.id).and.include('LIFE-99').and.not.include(first!.id)
    expect(certificateOf(results, CIRCUMSTANCES).certified).to.equal(false)
  })

  it('fails META-02 when a declared feature was not exercised', async () => {
    const { results } = await run(chapterOf({ id: 'LIFE-01', run: async () => void counted(1).to.equal(1) }))
    expect(results.get('META-02')).to.include({ status: 'failed', byAssertion: true })
  })

  it('draws the same for the same seed', async () => {
    const draws: number[][] = []
    for (const seed of [1, 1, 2]) {
      const drawn: number[] = []
      const bench = new Bench()
      const draw: Case['run'] = async ({ random }) => void counted(drawn.push(random(), random())).to.equal(2)
      certify(memory(), { runner: bench, seed, chapters: [chapterOf({ id: 'LIFE-01', run: draw })], only: new Set(['LIFE-01']) })
      await bench.run()
      draws.push(drawn)
    }
    expect(draws[0]).to.deep.equal(draws[1])
    expect(draws[0]).to.not.deep.equal(draws[2])
  })

  it('runs under the globals of the runner that called it', () => {
    expect(() => certify(memory(), { only: new Set() })).to.not.throw()
  })
})

describe('jobport-certify, the program', function () {
  this.timeout(60_000)
  const program = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
  let out: string

  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), 'jobport-certificate-'))
  })

  afterEach(async () => {
    await rm(out, { recursive: true })
  })

  const call = async (...args: string[]): Promise<{ code: number; text: string }> => {
    const done = await promisify(execFile)(process.execPath, [program, ...args, '--out', out]).catch((error: unknown) => error)
    const { code = 0, stdout, stderr } = done as { code?: number; stdout: string; stderr: string }
    return { code, text: stdout + stderr }
  }

  it('runs chosen cases, exits with 0, and writes no certificate', async () => {
    const { code, text } = await call('memory', '--grep', 'LIFE-0[13]|CON-10', '--seed', '42')
    expect(code, text).to.equal(0)
    expect(text).to.include('LIFE-01').and.include('LIFE-03').and.include('CON-10').and.include('3 passing')
    expect(await readdir(out)).to.deep.equal([])
  })

  it('exits with 1 when no case fits', async () => {
    expect(await call('memory', '--grep', 'NOTHING-99')).to.include({ code: 1 })
  })

  it('says in one line what is wrong with a URL that no adapter serves', async () => {
    const { code, text } = await call('gopher://127.0.0.1')
    expect(code).to.equal(1)
    expect(text).to.include('memory://')
    expect(text.trim().split('\n').length, text).to.equal(1)
  })
})
