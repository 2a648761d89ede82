import { execFile, spawnSync } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Account } from './recipe.ts'

const BALLAST = 'ballast'
const PIECE = 1_048_576

/** Whether this process may give a folder a disk of its own. */
export function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0
}

/** Makes `folder`, which is empty, a disk of so many bytes, in memory. */
export async function mountDisk(folder: string, bytes: number, { uid, gid }: Account = { uid: 0, gid: 0 }): Promise<void> {
  const options = `size=${bytes},mode=0700,uid=${uid},gid=${gid}`
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
}

/** Takes it away, whoever may still look at it. Where there is none, nothing happens. */
export function unmountDisk(folder: string): void {
  if (canMount()) spawnSync('umount', ['-l', folder], { stdio: 'ignore' })
}

/** Leaves no room on the disk of `folder`, or gives back what was taken. */
export async function setDiskFull(folder: string, full: boolean): Promise<void> {
  const file = join(folder, BALLAST)
  if (!full) return rm(file, { force: true })
  const ballast = await open(file, 'a')
  try {
    for (let size = PIECE; size >= 1; ) {
      const written = await ballast.write(Buffer.alloc(size)).catch(noRoom)
      if (written === undefined) size = Math.floor(size / 2)
    }
  } finally {
    await ballast.close()
  }
}

function noRoom(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOSPC') throw error
}
