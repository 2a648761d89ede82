import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** For 127.0.0.1 and localhost, by an authority made for them. */
export interface Certificates {
  readonly files: { readonly key: string; readonly certificate: string; readonly ca: string }
  readonly ca: string
  /** What a client shows, signed by the same authority. */
  readonly client: { readonly key: string; readonly cert: string }
  /** Of an authority that did not sign it. */
  readonly otherCa: string
  remove(): void
}

export async function makeCertificates(): Promise<Certificates> {
  const folder = mkdtempSync(join(tmpdir(), 'jobport-tls-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other']) {
    await openssl('req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`)
  }
  for (const name of ['server', 'client']) {
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(file(`${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost')
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`]
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`)
  }
  return {
    files: { key: file('server.key'), certificate: file('server.pem'), ca: file('ca.pem') },
    ca: readFileSync(file('ca.pem'), 'utf8'),
    client: { key: readFileSync(file('client.key'), 'utf8'), cert: readFileSync(file('client.pem'), 'utf8') },
    otherCa: readFileSync(file('other.pem'), 'utf8'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
