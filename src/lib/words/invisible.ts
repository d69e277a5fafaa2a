/** Characters that show nothing or change the direction of a text: format characters, tag characters and variation selectors. */
const INVISIBLE = /\p{Cf}|\p{Default_Ignorable_Code_Point}/gu

/** Formats that scripts and emoji need inside a word: zero width joiner and non-joiner, and the variation selectors of emoji. */
const ORDINARY = /\u200c|\u200d|\ufe0e|\ufe0f/gu

/** The text as search reads it. */
export const withoutInvisible = (text: string): string => text.replaceAll(INVISIBLE, '')

/** True if a person who reads the text cannot see all of its characters, or sees them in another order. */
export const hasInvisible = (text: string): boolean =>
  withoutInvisible(text.replaceAll(ORDINARY, '')).length < text.replaceAll(ORDINARY, '').length
