import { table } from './table.ts'
import type { Certificate } from './certificate.ts'
import type { Result } from './results.ts'

/** The certificate for people: versions, a table by chapter, and every case that did not simply pass. */
export function markdownOf(certificate: Certificate): string {
  const { adapter, certified, level, date, seed, versions, lateness } = certificate
  const named = Object.entries(versions)
    .map(([what, version]) => `${what} ${version}`)
    .join(' · ')
  return (
    [
      `# ${adapter}: ${certified ? 'certified' : 'NOT certified'}`,
      `${date.slice(0, 10)} · ${named} · seed ${seed}`,
      `Level: ${level ?? 'none'}`,
      chapterTable(certificate),
      ...(lateness
        ? [
            `Delayed jobs started late by, ms: p50 ${lateness.p50} · p95 ${lateness.p95} · max ${lateness.max} (${lateness.jobs} jobs).`,
          ]
        : []),
      featureTable(certificate),
      ...listing('Failed', certificate, ({ status }) => status === 'failed' || status === 'unreached'),
      ...listing('Passed in part', certificate, ({ status, reason }) => status === 'passed' && reason !== undefined),
      ...listing('Refused as declared', certificate, ({ status }) => status === 'refused'),
      ...listing('Not applicable', certificate, ({ status }) => status === 'not applicable'),
    ].join('\n\n') + '\n'
  )
}

function chapterTable({ chapters }: Certificate): string {
  const rows = chapters.map((each) => [
    `${each.number} ${each.title}`,
    each.passed,
    each.failed + each.unreached,
    each.refused,
    each['not applicable'],
  ])
  return table(['Chapter', 'Passed', 'Failed', 'Refused as declared', 'Not applicable'], rows)
}

function featureTable({ features }: Certificate): string {
  return table(
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
