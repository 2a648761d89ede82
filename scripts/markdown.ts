import { readFileSync } from 'node:fs'

/** A fenced block of a Markdown file, with the hidden comment that stands right before it. */
export interface Block {
  readonly file: string
  readonly language: string
  /** Of its first line of code, from 1. */
  readonly line: number
  readonly code: readonly string[]
  readonly comment?: Comment
}

interface Comment {
  readonly word: string
  /** Of the first line after the word. */
  readonly line: number
  readonly text: readonly string[]
}

export function readBlocks(file: string): Block[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  const blocks: Block[] = []
  let comment: Comment | undefined
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const fence = /^(`{3,})(\w*)/.exec(line)
    if (fence) {
      const end = endOf(lines, at + 1, (text) => text.trimEnd() === fence[1], `${file}:${at + 1}: the block never ends`)
      const language = fence[2] ?? ''
      blocks.push({ file, language, line: at + 2, code: lines.slice(at + 1, end), ...(comment && { comment }) })
      at = end
    }
    if (line.trim() !== '') comment = undefined
    const opened = /^<!-- ?([\w-]+)(.*)$/.exec(line)
    if (!opened) continue
    const end = endOf(lines, at, (text) => text.includes('-->'), `${file}:${at + 1}: the comment never ends`)
    const text = end === at ? [(opened[2] ?? '').replace(/^[: ]*|\s*-->.*/g, '')] : lines.slice(at + 1, end)
    comment = { word: opened[1] ?? '', line: end === at ? at + 1 : at + 2, text }
    at = end
  }
  return blocks
}

function endOf(lines: readonly string[], from: number, test: (line: string) => boolean, complaint: string): number {
  const found = lines.findIndex((line, index) => index >= from && test(line))
  if (found < 0) throw new Error(complaint)
  return found
}
