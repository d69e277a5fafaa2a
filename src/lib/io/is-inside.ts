import { realpathSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'

/** True if `file` is `folder` or lies in it, also through symbolic links. Neither needs to exist. */
export function isInside(file: string, folder: string): boolean {
  const [first] = relative(realPathOf(folder), realPathOf(file)).split(sep)
  return first !== '..'
}

/** The path without symbolic links. Names below the last folder that exists are kept. */
function realPathOf(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    return absolute === dirname(absolute) ? absolute : join(realPathOf(dirname(absolute)), basename(absolute))
  }
}
