import { json, type Route } from '../http/route.js'
import type { KeyRing } from './key-ring.js'

/** Others may keep the list for a minute: a new key stands in it for two before it signs (keys/rotate). */
const HEADERS = { 'cache-control': 'public, max-age=60' }

/** The registry's public keys (RFC 7517 §5). */
export const jwksEndpoint = ({ keyRing }: { readonly keyRing: KeyRing }): Route => ({
  method: 'GET',
  path: '/.well-known/jwks.json',
  endpoint: async () => {
    const { keys, standsOn } = await keyRing.jwks()
    return { ...json(200, { keys }, HEADERS), standsOn }
  },
})
