import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownOf } from './markdown.ts'
import type { Certificate } from './certificate.ts'

/** Writes it into `folder`, as Markdown and as JSON, named by adapter and server; answers the files' paths. */
export async function writeCertificate(certificate: Certificate, server: string, folder: string): Promise<readonly string[]> {
  const stem = [...new Set([certificate.adapter, server.split(' ')[0]!.toLowerCase()])].join('-')
  await mkdir(folder, { recursive: true })
  const [json, markdown] = ['json', 'md'].map((ending) => join(folder, `${stem}.${ending}`)) as [string, string]
  // the data first: the text can be made from them again
  await writeFile(json, `${JSON.stringify(certificate, undefined, 2)}\n`)
  await writeFile(markdown, markdownOf(certificate))
  return [markdown, json]
}
