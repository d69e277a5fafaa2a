import type { z } from 'zod'

/** The description of an HTTP endpoint for the API documents. */
export interface HttpEndpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly tag: 'OAuth' | 'Cards' | 'Trust log' | 'Discovery documents' | 'Witness' | 'Revocations' | 'ARD'
  readonly summary: string
  readonly caller: string
  readonly source?: string
  readonly parameters?: z.ZodObject
  /** Form parameters, or a JSON body where `isJson` is true. */
  readonly body?: z.ZodObject
  readonly isJson?: boolean
  /** `status` is 200 unless it is given. */
  readonly response: { readonly type: string; readonly schema?: z.ZodType; readonly status?: number }
  /** Error reasons (docs/ERRORS.md) of this endpoint, in addition to those that every endpoint may return. */
  readonly reasons: readonly string[]
}
