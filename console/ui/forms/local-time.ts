const two = (number: number): string => String(number).padStart(2, '0')

/** A time in epoch seconds as an input of type `date` has it, in the zone of the viewer. */
export function dayText(at: number): string {
  const date = new Date(at * 1000)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** A time in epoch seconds as an input of type `datetime-local` has it, in the zone of the viewer. */
export function localText(at: number): string {
  const date = new Date(at * 1000)
  return `${dayText(at)}T${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Epoch seconds of a `datetime-local` text, or of the last second of a `date`. Undefined for a text that is neither. */
export function secondsOf(text: string): number | undefined {
  const ms = new Date(text.includes('T') ? text : `${text}T23:59:59`).getTime()
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}
