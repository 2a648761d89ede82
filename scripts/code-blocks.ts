import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBlocks, type Block } from './markdown.ts'

// Compiles every `ts` block of the documents against the built packages, each as a module of its own.
//
//   <!-- setup                     lines that the block needs and the reader does not
//   declare const broker: Broker
//   -->
//   <!-- continues -->             the block belongs to the module of the block before it

const FOLDER = '.cache/code-blocks'

/** Lines of one module, at the numbers that they have in the document, so that the compiler's messages point there. */
type Module = string[]

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
const files = globSync(['*.md', 'docs/**/*.md', '{packages/*,brokers}/README.md', 'examples/**/*.md'], {
  exclude: ['**/node_modules'],
})
const blocks = files.flatMap(readBlocks).filter(({ language }) => language === 'ts' || language === 'typescript')
const names = new Map<string, string>()
for (const module of Map.groupBy(blocks, firstOf).values()) write(module)
const { stdout, status } = spawnSync('tsc -p tsconfig.docs.json --pretty false', { shell: true, encoding: 'utf8' })
console.log(
  stdout.replaceAll(
    /^\.cache\/code-blocks\/([\w.-]+)\((\d+),(\d+)\)/gm,
    (_, name: string, line, column) => `${names.get(name)}:${line}:${column}`,
  ),
)
console.log(`${blocks.length} blocks of ${files.length} documents`)
process.exitCode = status === 0 ? 0 : 1

/** The block that opens the module to which this one belongs. */
function firstOf(block: Block): Block {
  let at = blocks.indexOf(block)
  while (blocks[at]?.comment?.word === 'continues' && blocks[at - 1]?.file === block.file) at--
  return blocks[at] ?? block
}

function write(parts: readonly Block[]): void {
  const lines: Module = []
  for (const { code, line, comment } of parts) {
    if (comment?.word === 'setup') place(lines, comment.line, comment.text)
    place(lines, line, code)
  }
  const [{ file, line } = { file: '', line: 0 }] = parts
  const name = `${file.replaceAll('/', '-')}-${line}.ts`
  names.set(name, file)
  writeFileSync(join(FOLDER, name), lines.join('\n'))
}

function place(lines: Module, from: number, text: readonly string[]): void {
  while (lines.length < from - 1) lines.push('')
  lines.push(...text)
}
