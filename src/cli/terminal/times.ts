/** Members that hold epoch seconds, by the end of their names. */
const TIME_NAME = /(At|Until|^deadline|^signsFrom|^time)$/
/** Epoch seconds from 2001 to 5138: smaller numbers are durations, and larger ones have no date. */
const [FIRST, LAST] = [1e9, 1e11]

export const isTime = (name: string, value: unknown): value is number => TIME_NAME.test(name) && isEpoch(value)

const isEpoch = (value: unknown): value is number => typeof value === 'number' && value >= FIRST && value < LAST

/** ISO 8601 in UTC, without fractions of a second. A value that is no time is returned as text. */
export const isoTime = (value: unknown): string =>
  isEpoch(value) ? new Date(value * 1000).toISOString().replace('.000Z', 'Z') : String(value ?? '')

const UNITS = [
  { name: 's', seconds: 1, below: 60 },
  { name: 'min', seconds: 60, below: 3600 },
  { name: 'h', seconds: 3600, below: 48 * 3600 },
  { name: 'd', seconds: 86_400, below: 60 * 86_400 },
]

/** `in 4 min` or `2 d ago`. From 60 days on it is the date. */
export function humanTime(value: unknown, now: number): string {
  if (!isEpoch(value)) return String(value ?? '')
  const distance = Math.abs(value - now)
  const unit = UNITS.find(({ below }) => distance < below)
  if (unit === undefined) return isoTime(value).slice(0, 10)
  const text = `${Math.floor(distance / unit.seconds)} ${unit.name}`
  return value > now ? `in ${text}` : `${text} ago`
}
