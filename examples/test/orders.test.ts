import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const MAIN = fileURLToPath(new URL('../orders/main.ts', import.meta.url))
const { REDIS_URL, POSTGRES_URL } = process.env
const BROKERS = ['memory://', REDIS_URL, POSTGRES_URL].filter((url) => url !== undefined)

interface Ended {
  readonly code: number
  readonly output: string
}

function run(url: string, { killAfter }: { readonly killAfter?: RegExp } = {}): Promise<Ended> {
  return new Promise((resolve) => {
    let output = ''
    const child = execFile(process.execPath, [MAIN, url], { timeout: 90_000, killSignal: 'SIGKILL' }, () => {
      resolve({ code: child.exitCode ?? -1, output })
    })
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (text: string) => {
        const before = killAfter?.test(output)
        output += text
        if (!before && killAfter?.test(output)) child.kill('SIGINT')
      })
    }
  })
}

/** The numbers of one row of the table. */
function row(output: string, kind: string): number[] {
  const line = output.split('\n').find((text) => text.startsWith(`  ${kind} `) && !text.includes('/'))
  return (line ?? '')
    .trim()
    .split(/ +/)
    .slice(1)
    .map((number) => Number(number.replaceAll(',', '')))
}

for (const url of BROKERS) {
  describe(`the orders example on ${new URL(url).protocol}//`, () => {
    it('accounts for every job and ends by itself with code 0', async function () {
      this.timeout(100_000)
      const { code, output } = await run(url)
      expect(code, output).to.equal(0)

      const [accepted, completed, dead, removed, live] = row(output, 'all') as [number, number, number, number, number]
      expect(accepted).to.equal(completed + dead + removed + live)
      expect(live).to.equal(0)
      expect(output).to.match(/✓ [\d,]+ accepted = [\d,]+ completed \+ \d+ dead \+ [\d,]+ removed \+ 0 live/)

      // whatever the broker's pace: every order once, each paid or cancelled, each invoice redriven
      for (const kind of ['auto-cancel', 'confirm', 'pay']) expect(row(output, kind)[0], kind).to.equal(482)
      expect(row(output, 'confirm')[1]).to.equal(482)
      const [invoices, issued] = row(output, 'invoice')
      expect(issued).to.equal(invoices)
      expect(output).to.include(`54 duplicates refused, ${invoices} dead letters redriven`)
    })
  })
}

describe('the orders example', () => {
  it('ends by itself when it is interrupted', async function () {
    this.timeout(30_000)
    const { code, output } = await run('memory://', { killAfter: /jobs added/ })
    expect(output).to.include('Stopped early')
    expect(code).to.equal(130)
  })

  it('says in one line that a broker cannot be had', async () => {
    const { code, output } = await run('gopher://127.0.0.1')
    expect(code).to.equal(1)
    expect(output.trim().split('\n')).to.have.lengthOf(1)
    expect(output).to.include('memory://')
  })
})
