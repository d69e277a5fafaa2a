// A verifier in its own process: prepared calls, and the bare signature verifications that they need.
import { createPublicKey, verify } from 'node:crypto'
import { thumbprint } from '../../dist/credentials/jose/jwk.js'
import { newEs256Signer, proveDpop, signJwt } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newId } from '../../dist/protocol/ids.js'
import { newEndedSet } from '../../dist/protocol/log/ended-set.js'
import { createVerifier } from '../../dist/verifier/index.js'
import { optionsOf, serveCalls } from '../lib/child.js'

const { endedCount } = optionsOf()
const issuer = 'https://registry.example'
const audience = `${issuer}/agents/agt_AAAAAAAAAAAAAAAAAAAAAA`
const publicUrl = 'https://agent.example'
const [registryKey, callerKey] = [await newEs256Signer(), await newEs256Signer()]
const kid = thumbprint(registryKey.publicJwk)
const keys = [{ jwk: { ...registryKey.publicJwk, kid }, alg: 'ES256' }]
const epoch = newHandle(systemRandom, 'epo')
const handles = Array.from({ length: 16 }, () => newHandle(systemRandom, 'agt'))

const set = newEndedSet()
const time = systemClock.now()
set.switchEpoch({
  position: `${epoch}.${endedCount}`,
  time,
  ended: Array.from({ length: endedCount }, () => ({ handle: newHandle(systemRandom, 'tok'), horizon: time + 600 })),
})
// The feed is always fresh: `push` measures the cost of freshness.
const standing = {
  ended: set,
  seq: endedCount,
  time,
  get freshAt() {
    return systemClock.monotonicMs()
  },
  sync: async () => {},
}
const verifier = createVerifier({ issuer, audience, publicUrl, standing, keys })

const deps = (signer) => ({ signer, clock: systemClock, random: systemRandom })
async function aCall(signer) {
  const iat = systemClock.now()
  const claims = {
    iss: issuer,
    sub: 'agt_BBBBBBBBBBBBBBBBBBBBBB',
    aud: audience,
    client_id: 'agt_BBBBBBBBBBBBBBBBBBBBBB',
    iat,
    exp: iat + 300,
    jti: newId(systemRandom, 'tok'),
    scope: 'ocr:read',
    cnf: { jkt: thumbprint(signer.publicJwk) },
    organization_id: 'org_CCCCCCCCCCCCCCCCCCCCCC',
    client_type: 'agent',
    standing: { at: endedCount, dependsOn: handles },
  }
  const accessToken = await signJwt({ typ: 'at+jwt', kid }, claims, registryKey)
  const dpop = await proveDpop(deps(signer), { htm: 'POST', htu: `${publicUrl}/a2a`, accessToken })
  return { method: 'POST', url: '/a2a', headers: { authorization: `DPoP ${accessToken}`, dpop } }
}

const bareKeys = new Map()
function bareCheck(jws, jwk, isNew) {
  const [head, payload, signature] = jws.split('.')
  let key = bareKeys.get(jwk.x)
  if (!key || isNew) {
    key = createPublicKey({ key: jwk, format: 'jwk' })
    bareKeys.set(jwk.x, key)
  }
  return verify('sha256', Buffer.from(`${head}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
}

let calls = []
const cpu = () => process.cpuUsage().user + process.cpuUsage().system
serveCalls(
  {},
  {
    prepare: async ({ count, isNew }) => {
      calls = []
      for (let i = 0; i < count; i++) {
        const signer = isNew ? await newEs256Signer() : callerKey
        calls.push({ call: await aCall(signer), jwk: signer.publicJwk, isNew })
      }
    },
    verify: async () => {
      const before = cpu()
      for (const { call } of calls) await verifier.verify(call, { scope: 'ocr:read' })
      return (cpu() - before) / calls.length
    },
    bare: () => {
      const before = cpu()
      for (const { call, jwk, isNew } of calls) {
        if (!bareCheck(call.headers.authorization.slice(5), registryKey.publicJwk, false) || !bareCheck(call.headers.dpop, jwk, isNew))
          throw new Error('not verified')
      }
      return (cpu() - before) / calls.length
    },
  },
)
