/** A time in UTC, which every browser shows alike. */
export function Time({ at }: { readonly at: number }) {
  const iso = new Date(at * 1000).toISOString()
  return <time dateTime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`}</time>
}
