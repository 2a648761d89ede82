import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownOf } from './markdown.ts'
import type { Certificate } from './certificate.ts'

/** Writes it into `folder`, as Markdown and as JSON, named by adapter and server; answers the files' paths. */
export async function writeCertificate(certificate: Certificate, server: string, folder: string): Promise<readonly string[]> {
  const stem = [...new Set([certificate.adapter, server.split(' ')[0]!.toLowerCase()])].join('-')
  const texts: Record<string, string> = { md: markdownOf(certificate), json: `${JSON.stringify(certificate, undefined, 2)}\n` }
  await mkdir(folder, { recursive: true })
  const files = Object.entries(texts).map(([ending, text]) => ({ path: join(folder, `${stem}.${ending}`), text }))
  for (const { path, text } of files) await writeFile(path, text)
  return files.map(({ path }) => path)
}
