import { pointerToken } from '../../lib/json-pointer.js'

interface Position {
  readonly line: number
  readonly column: number
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs

interface Container {
  readonly pointer: string
  readonly isArray: boolean
  /** The member, or the index of the element, that comes next. */
  next: string | number
}

/**
 * Returns a function that finds where a JSON Pointer leads in the text: to the name of a member, or to an element. For a member that is
 * missing it finds the part that should have it. One pass over the tokens; a text that is not JSON has its beginning only.
 */
export function positionsIn(text: string): (pointer: string) => Position {
  const offsets = new Map([['', text.search(/\S|$/)]])
  const open: Container[] = []
  const pointerOfNext = (): string => {
    const container = open.at(-1)
    return container === undefined ? '' : `${container.pointer}/${pointerToken(container.next)}`
  }
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const container = open.at(-1)
    if (token === '}' || token === ']') open.pop()
    else if (token === ',') {
      if (typeof container?.next === 'number') container.next++
    } else if (token !== ':') {
      const isName =
        container !== undefined && !container.isArray && /^\s*:/.test(text.slice(index + token.length, index + token.length + 64))
      if (isName) container.next = nameOf(token)
      if (isName || container?.isArray) offsets.set(pointerOfNext(), index)
      if (token === '{' || token === '[') open.push({ pointer: pointerOfNext(), isArray: token === '[', next: token === '[' ? 0 : '' })
    }
  }
  return (pointer) => {
    let nearest = pointer
    while (!offsets.has(nearest)) nearest = nearest.slice(0, Math.max(0, nearest.lastIndexOf('/')))
    const before = text.slice(0, offsets.get(nearest))
    return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') }
  }
}

function nameOf(token: string): string {
  try {
    return String(JSON.parse(token))
  } catch {
    return token
  }
}
