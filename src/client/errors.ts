import type { Fault } from '../errors.js'
import { faultsMissingIn } from '../protocol/input-faults.js'

/** An error response of a registry, or a failure to reach it. docs/ERRORS.md lists the reasons. */
export class CredenceError extends Error {
  readonly reason: string
  readonly status: number
  readonly faults: readonly Fault[]
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(problem: {
    reason: string
    text: string
    status: number
    faults?: readonly Fault[]
    requestId?: string | undefined
    retryAfterSeconds?: number | undefined
  }) {
    const unnamed = faultsMissingIn(problem.text, problem.faults ?? [])
    super([problem.text, ...unnamed.map(({ pointer, hint }) => `${pointer || '(whole)'}: ${hint}`)].join('; '))
    this.name = 'CredenceError'
    this.reason = problem.reason
    this.status = problem.status
    this.faults = problem.faults ?? []
    this.requestId = problem.requestId
    this.retryAfterSeconds = problem.retryAfterSeconds
  }
}
