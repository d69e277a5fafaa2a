import type { Fault } from '../errors.js'

/** What a registry, or a peer behind a verifier, refused: its reason as in docs/ERRORS.md. */
export class CredenceError extends Error {
  readonly reason: string
  readonly status: number
  readonly faults: readonly Fault[]
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(answer: {
    reason: string
    text: string
    status: number
    faults?: readonly Fault[]
    requestId?: string | undefined
    retryAfterSeconds?: number | undefined
  }) {
    super([answer.text, ...(answer.faults ?? []).map(({ pointer, hint }) => `${pointer || '(whole)'}: ${hint}`)].join('; '))
    this.name = 'CredenceError'
    this.reason = answer.reason
    this.status = answer.status
    this.faults = answer.faults ?? []
    this.requestId = answer.requestId
    this.retryAfterSeconds = answer.retryAfterSeconds
  }
}
