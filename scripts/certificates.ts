import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { clientsBeside, LEVELS, SCALE, versionBeside, type Certificate } from '@jobport/conformance'
import schema from '@jobport/conformance/certificate.schema.json' with { type: 'json' }
import { readArguments } from './arguments.ts'
import { CERTIFIED, certificateAt, FOLDER, type Certified } from './certified.ts'
import { declared } from './declared.ts'

// Fails when a stored certificate no longer tells of this code: other cases, features or clients, or not what it must show.

const REMEDY = 'npm run nightly makes new ones'

readArguments('node scripts/certificates.ts', {})

const { cases: listed } = JSON.parse(readFileSync('packages/conformance/cases.json', 'utf8')) as {
  cases: readonly { readonly id: string; readonly chapter: number }[]
}
const isCertificate = new Ajv2020({ strict: true, formats: { 'date-time': true } }).compile<Certificate>(schema)

const complaints = (await Promise.all(CERTIFIED.map(examine))).flat()
for (const complaint of complaints) console.error(complaint)
if (complaints.length > 0) {
  console.error(REMEDY)
  process.exitCode = 1
}

async function examine(broker: Certified): Promise<string[]> {
  const file = `${FOLDER}/${broker.stem}.json`
  const certificate = certificateAt(broker.stem)
  if (!certificate) return [`${file} is missing`]
  if (!isCertificate(certificate)) return [`${file} breaks the schema: ${JSON.stringify(isCertificate.errors)}`]
  return [...(await outdated(broker, certificate)), ...unproven(broker, certificate)].map((what) => `${file}: ${what}`)
}

async function outdated(broker: Certified, { cases, features, level, versions }: Certificate): Promise<string[]> {
  const driver = await declared(broker)
  const module = import.meta.resolve(`@jobport/adapter-${driver.name}`)
  const current: Record<string, string> = {
    core: versionBeside(import.meta.resolve('@jobport/core')),
    [`adapter ${driver.name}`]: versionBeside(module),
    ...clientsBeside(module),
  }
  const ran = new Set(cases.map(({ id }) => id))
  const known = new Set(listed.map(({ id }) => id))
  // what only endurance asks for may be left out of less
  const owed = listed.filter(({ chapter }) => level === 'endurance' || chapter !== SCALE).map(({ id }) => id)
  return [
    ...owed.filter((id) => !ran.has(id)).map((id) => `${id} did not run for it`),
    ...[...ran].filter((id) => !known.has(id)).map((id) => `${id} is no case any more`),
    ...(JSON.stringify(features) === JSON.stringify(driver.features) ? [] : ['the adapter declares other features now']),
    ...Object.entries(current)
      .filter(([what, version]) => versions[what] !== version)
      .map(([what, version]) => `it is of ${what} ${versions[what] ?? '(none)'}, here is ${version}`),
  ]
}

function unproven({ level }: Certified, certificate: Certificate): string[] {
  const wrong = certificate.torture?.rounds.filter((round) => Object.keys(round.wrong).length > 0) ?? []
  return [
    ...(certificate.certified ? [] : ['it does not certify']),
    ...(certificate.level && LEVELS.indexOf(certificate.level) >= LEVELS.indexOf(level)
      ? []
      : [`it reaches ${certificate.level ?? 'no level'}, not ${level}`]),
    ...(certificate.revision?.endsWith('+') ? ['it was made in a checkout with changes'] : []),
    ...wrong.map(({ seed, wrong: rules }) => `seed ${seed} of its torture broke a rule: ${JSON.stringify(rules)}`),
  ]
}
