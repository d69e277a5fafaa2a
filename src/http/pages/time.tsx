/** A time in UTC, which every browser shows alike. */
export function Time({ at }: { readonly at: number }) {
  const iso = new Date(at * 1000).toISOString()
  return <time dateTime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`}</time>
}

const DAY_SECONDS = 86_400

/** A day (UTC) as an input of type `date` has it. */
export const dayOf = (epochSeconds: number): string => new Intl.DateTimeFormat('en-CA', { timeZone: 'UTC' }).format(epochSeconds * 1000)

/** The last second of a day (UTC); undefined for a text that is no day. */
export function endOfDay(day: string): number | undefined {
  const start = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  return Number.isNaN(start) ? undefined : start / 1000 + DAY_SECONDS - 1
}
