import { useEffect, useState } from 'preact/hooks'
import type { QueryState } from './cache.js'

/** The result of `load`, which is called when the page is shown, and again when `key` changes. */
export function useLoaded<T>(key: string, load: () => Promise<T>): QueryState<T> {
  const [shown, show] = useState<QueryState<T>>({ isLoading: true })
  useEffect(() => {
    let isCurrent = true
    show({ isLoading: true })
    load().then(
      (data) => isCurrent && show({ data, isLoading: false }),
      (error: unknown) => isCurrent && show({ error, isLoading: false }),
    )
    return () => {
      isCurrent = false
    }
  }, [key])
  return shown
}
