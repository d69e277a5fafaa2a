import { json, type Route } from '../http/route.js'
import type { KeyRing } from './key-ring.js'

/** Verifiers may cache the JWKS for 60 s. A new key is published 120 s before it signs (PUBLISHED_BEFORE_SECONDS). */
const HEADERS = { 'cache-control': 'public, max-age=60' }

/** The registry's public keys (RFC 7517 §5). */
export const jwksEndpoint = ({ keyRing }: { readonly keyRing: KeyRing }): Route => ({
  method: 'GET',
  path: '/.well-known/jwks.json',
  endpoint: async () => {
    const { keys, dependsOn } = await keyRing.jwks()
    return { ...json(200, { keys }, HEADERS), dependsOn }
  },
})
