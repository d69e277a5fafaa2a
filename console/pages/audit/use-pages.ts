import { useRef, useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Input, Output, Path } from '../../api/procedures.js'

interface Pages<Sum> {
  readonly sum: Sum | undefined
  readonly isRunning: boolean
  readonly isDone: boolean
  readonly error?: unknown
  /** Reads all pages from the first on. Resolves with the sum, or undefined after a failure or `stop`. */
  readonly run: () => Promise<Sum | undefined>
  readonly stop: () => void
}

/** Reads a query page by page on demand, and adds up what the pages say. */
export function usePages<P extends Path, Sum>(path: P, input: Input<P>, add: (sum: Sum | undefined, page: Output<P>) => Sum): Pages<Sum> {
  const { calls } = useConsole()
  const [state, setState] = useState<Pick<Pages<Sum>, 'sum' | 'isRunning' | 'isDone' | 'error'>>({
    sum: undefined,
    isRunning: false,
    isDone: false,
  })
  const runs = useRef(0)
  const run = async (): Promise<Sum | undefined> => {
    const number = ++runs.current
    let sum: Sum | undefined
    let cursor: string | undefined
    setState({ sum, isRunning: true, isDone: false })
    try {
      do {
        const page: Output<P> & { readonly cursor?: string } = await calls.query(path, {
          ...(input as object),
          ...(cursor !== undefined && { cursor }),
        })
        if (runs.current !== number) return undefined
        sum = add(sum, page)
        cursor = page.cursor
        setState({ sum, isRunning: cursor !== undefined, isDone: cursor === undefined })
      } while (cursor !== undefined)
      return sum
    } catch (error) {
      setState({ sum, isRunning: false, isDone: false, error })
      return undefined
    }
  }
  const stop = () => {
    runs.current++
    setState((before) => ({ ...before, isRunning: false }))
  }
  return { ...state, run, stop }
}
