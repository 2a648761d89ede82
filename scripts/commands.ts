import { spawnSync } from 'node:child_process'
import { readBlocks } from './markdown.ts'

// Runs every `sh` block of the README, as a reader would type it. CI does this with REDIS_URL set.
//
//   <!-- not-in-ci: why -->        leaves the next block out, and says so
//   redis://127.0.0.1:6379         stands for the Redis that CI has

const EXAMPLE = 'redis://127.0.0.1:6379'

const blocks = readBlocks('README.md').filter(({ language }) => language === 'sh')
let failed = 0
for (const { line, code, comment } of blocks) {
  if (comment?.word === 'not-in-ci') {
    console.log(`README.md:${line}: not run: ${comment.text.join(' ')}`)
    continue
  }
  const script = code.join('\n').replaceAll(EXAMPLE, process.env['REDIS_URL'] ?? EXAMPLE)
  console.log(`README.md:${line}:\n${script}`)
  const { status } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) continue
  failed += 1
  console.error(`README.md:${line}: ended with code ${status}`)
}
console.log(`${blocks.length} blocks, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
