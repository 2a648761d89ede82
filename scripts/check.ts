import { readArguments } from './arguments.ts'
import { step } from './step.ts'

// Everything that can be judged without running a job. All steps run, so that one look shows all that is wrong.

readArguments('npm run check', {})

const steps: [title: string, command: string][] = [
  ['types', 'tsc -b'],
  ['code blocks of the documents', 'node scripts/code-blocks.ts'],
  ['case ids in the documents', 'node scripts/case-ids.ts'],
  ['lint', 'oxlint'],
  ['format', 'biome format'],
  ['budgets', 'node scripts/budgets.ts'],
  ['unused files, exports and dependencies', 'knip'],
  ['packages', 'node scripts/packaging.ts'],
  ['mistakes on command lines', 'node scripts/command-lines.ts'],
  ['scaffolding of an adapter', 'node scripts/scaffold.ts'],
  ['features and proofs in the documents', 'node scripts/features.ts --check'],
  ['stored certificates', 'node scripts/certificates.ts'],
]

let good = true
for (const [title, command] of steps) good = (await step(title, command)) && good
process.exitCode = good ? 0 : 1
