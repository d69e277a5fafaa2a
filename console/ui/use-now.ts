import { useEffect, useReducer } from 'preact/hooks'

/** The browser waits no longer than this. */
const MAX_MS = 2 ** 31 - 1

/** The time in epoch seconds. The view is shown again at the next of `times`, such as the expiry of a token. */
export function useNow(times: readonly number[]): number {
  const [, render] = useReducer((count: number) => count + 1, 0)
  const now = Math.floor(Date.now() / 1000)
  const next = Math.min(...times.filter((time) => time > now))
  useEffect(() => {
    if (!Number.isFinite(next)) return undefined
    const timer = setTimeout(() => render(undefined), Math.min(MAX_MS, Math.max(0, next * 1000 - Date.now())))
    return () => clearTimeout(timer)
  }, [next])
  return now
}
