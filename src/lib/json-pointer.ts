/** Escapes a name as a reference token of a JSON Pointer (RFC 6901 §3). */
export const pointerToken = (name: string | number): string => String(name).replaceAll('~', '~0').replaceAll('/', '~1')

/** `['a', 0]` → `/a/0`. */
export const pointerOf = (path: readonly (string | number)[]): string => path.map((part) => `/${pointerToken(part)}`).join('')

/** `/a/0` → `['a', '0']`; undefined if the text is not a JSON Pointer. */
export function pathOf(pointer: string): string[] | undefined {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** True if `pointer` equals `ancestor` or points inside it. */
export const isWithin = (ancestor: string, pointer: string): boolean => pointer === ancestor || pointer.startsWith(`${ancestor}/`)
