import { DamagedStore } from '../errors.js'

/** Parses a text that this store has validated before it wrote it. `where` names it if it was damaged since. */
export function storedJson<T>(text: string, where: string): T {
  try {
    return JSON.parse(text) as T // validated before it was written
  } catch {
    throw new DamagedStore(`${where} is damaged: it is no JSON`)
  }
}
