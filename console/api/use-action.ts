import { useState } from 'preact/hooks'
import { useConsole } from './console.js'
import type { Input, Output, Path } from './procedures.js'

interface Action<P extends Path> {
  readonly isRunning: boolean
  readonly error?: unknown
  /** Calls the mutation, then reads again what is shown of `changes`. Undefined if it was refused: `error` says why. */
  readonly run: (input: Input<P>) => Promise<Output<P> | undefined>
}

/** A mutation that a person starts. `changes` names the routers or procedures whose results it changes, such as `agents`. */
export function useAction<P extends Path>(path: P, changes: readonly string[]): Action<P> {
  const { calls, cache } = useConsole()
  const [state, setState] = useState<{ readonly isRunning: boolean; readonly error?: unknown }>({ isRunning: false })
  const run = async (input: Input<P>): Promise<Output<P> | undefined> => {
    setState({ isRunning: true })
    try {
      const result = await calls.mutate<Output<P>>(path, input as object)
      setState({ isRunning: false })
      cache.invalidate(changes)
      return result
    } catch (error) {
      setState({ isRunning: false, error })
      return undefined
    }
  }
  return { ...state, run }
}
