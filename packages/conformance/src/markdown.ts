import { markdownTable } from './table.ts'
import type { Certificate } from './certificate.ts'
import type { Quantiles } from './quantiles.ts'
import type { Result } from './results.ts'
import type { TortureSummary } from './torture/rounds.ts'

/** The certificate for people: versions, a table by chapter, and every case that did not simply pass. */
export function markdownOf(certificate: Certificate): string {
  const { adapter, certified, level, topology, machine, date, seed, revision, versions } = certificate
  const named = Object.entries(versions)
    .map(([what, version]) => `${what} ${version}`)
    .join(' · ')
  return (
    [
      `# ${adapter}: ${certified ? 'certified' : 'NOT certified'}`,
      `${date.slice(0, 10)} · ${named} · seed ${seed}${revision === undefined ? '' : ` · revision ${revision}`}`,
      `${topology} · ${machine.system}, ${machine.cpus} CPUs, ${Math.round(machine.memory / 2 ** 30)} GiB`,
      `Level: ${level ?? 'none'}`,
      chapterTable(certificate),
      measured(certificate),
      featureTable(certificate),
      ...listing('Failed', certificate, ({ status }) => status === 'failed' || status === 'unreached'),
      ...listing('Passed in part', certificate, ({ status, reason }) => status === 'passed' && reason !== undefined),
      ...listing('Refused as declared', certificate, ({ status }) => status === 'refused'),
      ...listing('Not applicable', certificate, ({ status }) => status === 'not applicable'),
    ].join('\n\n') + '\n'
  )
}

function measured({ lateness, disorder, redelivery, torture, ms, peakMemory, peakBrokerMemory, cases }: Certificate): string {
  const series = (label: string, { jobs, ...rest }: Quantiles): string =>
    `- ${label}, ms: ${Object.entries(rest)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · ')} (${jobs} jobs)`
  const doubling = cases.filter(({ duplicates = 0 }) => duplicates > 0)
  return [
    ...(lateness ? [series('delayed jobs started late by', lateness)] : []),
    ...(disorder ? [series('delayed jobs were overtaken by later ones by', disorder)] : []),
    ...(redelivery ? [series('jobs of a lost worker ran again after', redelivery)] : []),
    ...(doubling.length > 0
      ? [`- ran again under a fault: ${doubling.map(({ id, duplicates }) => `${id} ${duplicates}`).join(' · ')} jobs`]
      : []),
    ...(torture ? [tortured(torture)] : []),
    `- all cases took ${Math.round(ms / 1_000)} s; the suite's process held at most ${mebibytes(peakMemory)}${peakBrokerMemory === undefined ? '' : `, the broker ${mebibytes(peakBrokerMemory)}`}`,
  ].join('\n')
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}

function tortured({ minutes, rounds }: TortureSummary): string {
  const sum = (count: 'accepted' | 'duplicates' | 'doubled'): number => rounds.reduce((all, round) => all + round[count], 0)
  const wrong = rounds.filter((round) => Object.keys(round.wrong).length > 0).map(({ seed }) => seed)
  const verdict = wrong.length === 0 ? 'nothing was wrong' : `something was wrong under the seeds ${wrong.join(', ')}`
  return `- torture, ${rounds.length} seeds × ${minutes} minutes, ${sum('accepted')} jobs: ${verdict}; ${sum('duplicates')} ran again, ${sum('doubled')} had two ends`
}

function chapterTable({ chapters }: Certificate): string {
  const rows = chapters.map((each) => [
    `${each.number} ${each.title}`,
    each.passed,
    each.failed + each.unreached,
    each.refused,
    each['not applicable'],
  ])
  return markdownTable(['Chapter', 'Passed', 'Failed', 'Refused as declared', 'Not applicable'], rows)
}

function featureTable({ features }: Certificate): string {
  return markdownTable(
    ['Feature', 'Declared'],
    Object.entries(features).map(([name, value]) => [`\`${name}\``, declared(value)]),
  )
}

function declared(value: unknown): string {
  if (value === false) return 'no'
  if (value === true) return 'yes'
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, limit]) => `${name} ${String(limit)} ms`)
    .join(', ')
}

function listing(title: string, { cases }: Certificate, which: (result: Result) => boolean): string[] {
  const chosen = cases.filter(which)
  if (chosen.length === 0) return []
  const lines = chosen.map(
    ({ id, title: what, reason }) => `- ${id} ${what}${reason === undefined ? '' : ` — ${oneLine(reason)}`}`,
  )
  return [`## ${title}`, lines.join('\n')]
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 300)
}
