/** One reference token of a JSON Pointer (RFC 6901 §3). */
export const pointerToken = (name: string | number): string => String(name).replaceAll('~', '~0').replaceAll('/', '~1')

/** `['a', 0]` → `/a/0`. */
export const pointerOf = (path: readonly (string | number)[]): string => path.map((part) => `/${pointerToken(part)}`).join('')

/** `/a/0` → `['a', '0']`; undefined where it is not a JSON Pointer. */
export function pathOf(pointer: string): string[] | undefined {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** True where `pointer` is `above` or stands inside what `above` points at. */
export const isWithin = (above: string, pointer: string): boolean => pointer === above || pointer.startsWith(`${above}/`)
