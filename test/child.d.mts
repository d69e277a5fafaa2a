import type { ChildProcess, ChildProcessByStdio, SpawnOptions } from 'node:child_process'
import type { Readable } from 'node:stream'

export const END_WITH_PARENT: string
export function spawnNode(
  args: readonly string[],
  options: SpawnOptions & { stdio: ['ignore', 'pipe', 'pipe'] },
): ChildProcessByStdio<null, Readable, Readable>
export function spawnNode(
  args: readonly string[],
  options: SpawnOptions & { stdio: ['ignore', 'pipe', 'inherit' | 'ignore'] },
): ChildProcessByStdio<null, Readable, null>
export function spawnNode(
  args: readonly string[],
  options: SpawnOptions & { stdio: ['ignore', 'ignore', 'pipe'] },
): ChildProcessByStdio<null, null, Readable>
export function spawnNode(args: readonly string[], options: SpawnOptions): ChildProcess
