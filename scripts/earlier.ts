import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Jobport as it is in one folder. */
export interface Version {
  readonly title: string
  /** The suite's program for processes that add and work. */
  readonly program: string
  /** File URL of an adapter's module. */
  module(adapter: string): string
}

export function versionIn(folder: string, title: string): Version {
  const conformance = join(folder, 'packages', 'conformance')
  const { resolve: find } = createRequire(join(folder, 'index.js'))
  return {
    title,
    program: join(conformance, 'dist', 'child-program.js'),
    module: (adapter) => pathToFileURL(find(`@jobport/adapter-${adapter}`)).href,
  }
}

/** Checks a revision out elsewhere, and installs and builds it; gone when disposed. */
export function checkOut(revision: string): Version & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'jobport-earlier-'))
  const folder = join(root, 'repo')
  run('.', 'git', 'worktree', 'add', '--detach', folder, revision)
  const dispose = (): void => {
    run('.', 'git', 'worktree', 'remove', '--force', folder)
    rmSync(root, { recursive: true })
  }
  try {
    run(folder, 'npx', '-y', 'pnpm@12', 'install', '--frozen-lockfile', '--prefer-offline')
    run(folder, process.execPath, resolve('node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json')
  } catch (error) {
    dispose()
    throw error
  }
  return { ...versionIn(folder, revision), [Symbol.dispose]: dispose }
}

function run(cwd: string, ...[file, ...args]: [string, ...string[]]): void {
  execFileSync(file, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
