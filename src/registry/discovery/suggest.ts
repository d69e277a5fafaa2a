import { type SearchDeps, type Searcher, withinSearchLimit } from './search.js'

export interface Suggestions {
  /** The text with its last word completed, the most frequent word first. */
  readonly suggestions: readonly string[]
}

/** Completes the last word of a text by words of published cards, as far as the caller may see them without an introduction. */
export function suggestWords(
  deps: SearchDeps,
  searcher: Searcher,
  { text, limit }: { readonly text: string; readonly limit: number },
): Promise<Suggestions> {
  return withinSearchLimit(deps, searcher, async () => {
    const [last = ''] = /[\p{L}\p{M}\p{N}]*$/u.exec(text) ?? []
    const words = last === '' ? [] : await deps.cardSearch.suggest(searcher.caller ? 'authenticated' : 'public', last, limit)
    const before = text.slice(0, text.length - last.length)
    return { suggestions: words.map((word) => `${before}${word}`) }
  })
}
