import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { LocalRecipe } from './recipe.ts'

const run = promisify(execFile)

const FETCH = join(import.meta.dirname, 'fetch.sh')
const RELOCATE = join(import.meta.dirname, 'relocate.sh')
const DEADLINE = 10 * 60_000

/** For programs that run as somebody else while our own cache is closed to others. Root only. */
const OPEN_CACHE = '/var/cache/jobport-brokers'

export function cacheFolder(): string {
  return resolve(process.env['JOBPORT_CACHE'] || join(import.meta.dirname, '../.cache/brokers'))
}

/** The folder of a program on PATH, its links resolved. */
export function findProgram(program: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return dirname(realpathSync(join(folder, program)))
    } catch {
      continue
    }
  }
  return undefined
}

/** Major version, as its `--version` tells it; 0 if it does not run. */
export async function versionOf(program: string): Promise<number> {
  return Number(/(?:v=|\s)(\d+)\./.exec(await versionText(program))?.[1] ?? 0)
}

/** What its `--version` says; empty if it does not run. */
export async function versionText(program: string): Promise<string> {
  try {
    const { stdout } = await run(program, ['--version'], { timeout: 10_000 })
    return stdout
  } catch {
    return ''
  }
}

/** What a broker's recipe, or a helper's, says of its programs. */
export interface Obtainable {
  readonly title: string
  readonly local: Pick<LocalRecipe, 'find' | 'packages' | 'programs' | 'unprivileged'>
}

/** The folder of a broker's programs: the system's own, else those in the cache, which are fetched if need be. */
export async function obtainPrograms({ title, local }: Obtainable): Promise<string> {
  const own = await local.find()
  if (own !== undefined) return own
  const folder = join(cacheFor(local.unprivileged), nameOf(local.packages))
  if (!existsSync(folder)) await fetch(folder, local.packages, local.programs, title)
  const [program = ''] = globSync(join(folder, 'root', local.programs[0] ?? ''))
  return statSync(program).isDirectory() ? program : dirname(program)
}

/** Named by all that went into it, so that a changed script fetches anew. */
function nameOf(packages: readonly string[]): string {
  const hash = createHash('sha256').update(readFileSync(FETCH)).update(readFileSync(RELOCATE))
  return `${packages[0]}-${process.arch}-${hash.update(packages.join()).digest('hex').slice(0, 8)}`
}

/** Fills a folder of its own and then renames it: whoever comes second throws his away. */
async function fetch(folder: string, packages: readonly string[], programs: readonly string[], title: string): Promise<void> {
  if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) {
    throw new Error(`${title} is not installed, and without apt-get and dpkg-deb it cannot be fetched`)
  }
  const partial = `${folder}.${process.pid}`
  mkdirSync(partial, { recursive: true })
  try {
    await run(FETCH, [partial, ...packages], { timeout: DEADLINE })
    const found = programs.flatMap((pattern) => globSync(pattern, { cwd: join(partial, 'root') }))
    await run(RELOCATE, [partial, ...found], { timeout: DEADLINE })
    if (!existsSync(folder)) renameSync(partial, folder)
  } catch (error) {
    if (existsSync(folder)) return
    const { message, stderr } = error as Error & { stderr?: string }
    throw new Error(`${title} could not be fetched: ${stderr?.trim() || message}`, { cause: error })
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

function cacheFor(unprivileged: boolean): string {
  const folder = cacheFolder()
  return unprivileged && process.getuid?.() === 0 && !isOpen(folder) ? OPEN_CACHE : folder
}

/** Whether every user may enter it. What does not exist yet will be as open as its parent. */
function isOpen(folder: string): boolean {
  const parent = dirname(folder)
  if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false
  return parent === folder || isOpen(parent)
}
