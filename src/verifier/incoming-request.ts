import { refuse } from '../errors.js'
import { bearerTokenOf, dpopTokenOf } from '../protocol/dpop.js'

export interface IncomingRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The remote address of the connection, if the platform knows it. */
  readonly peer?: string | undefined
}

/** Requires one DPoP-bound token and one proof or, if they are allowed, one bearer token without a proof. */
export function credentialsOf({ headers }: IncomingRequest, allowBearer: boolean): { token: string; dpop?: string } {
  const { authorization, dpop } = headers
  const bearer = allowBearer && dpop === undefined ? bearerTokenOf(authorization) : undefined
  if (bearer !== undefined) return { token: bearer }
  const token = dpopTokenOf(authorization)
  // node:http joins a repeated header with a comma.
  if (token === undefined || typeof dpop !== 'string' || dpop.includes(','))
    return refuse('invalid_token', textOfCredentials(allowBearer, bearerTokenOf(authorization) !== undefined))
  return { token, dpop }
}

function textOfCredentials(allowBearer: boolean, isBearer: boolean): string {
  const bound = 'one access token (Authorization: DPoP …) and one proof (DPoP: …)'
  if (allowBearer) return `send ${bound}, or one bearer token (Authorization: Bearer …) and no proof`
  return isBearer ? `this server accepts no bearer tokens (allowBearer): send ${bound}` : `send ${bound}`
}
