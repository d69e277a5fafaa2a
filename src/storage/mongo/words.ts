// The words of a text, cut and folded as SQLite's unicode61 with remove_diacritics 2 does, so that both stores find the same cards.

/** Runs of letters, numbers and private-use characters; lower case, without diacritics. */
export const wordsIn = (text: string): string[] =>
  text
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{N}\p{Co}]+/gu) ?? []

/** Texts of several columns as one: a run of words is found by `runOf`, never across columns. */
export const columnsOf = (texts: readonly string[]): string => texts.map((text) => ` ${wordsIn(text).join(' ')} `).join('|')
export const runOf = (words: readonly string[]): string => ` ${words.join(' ')} `
