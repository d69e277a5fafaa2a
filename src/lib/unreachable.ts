/** For the default branch of a switch over a closed union. */
export function unreachable(value: never): Error {
  return new Error(`unreachable: ${String(value)}`)
}
