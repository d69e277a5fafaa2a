// A signer whose private key is in another process. `createAgent`, `confirmAgent`, `joinRegistry` and `redeemKeyCode` take any object of this form.
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'

const TIMEOUT_MS = 5000

/** Asks the key management service at a Unix socket for its public key, and returns a signer that asks it for each signature. */
export async function kmsSigner(socketPath) {
  const { alg, publicJwk } = JSON.parse(await call(socketPath, 'GET', '/key'))
  return {
    alg,
    publicJwk,
    // The signature in JOSE form: r and s, 64 bytes for ES256. A service that answers in DER needs a conversion here.
    sign: async (data) => new Uint8Array(await call(socketPath, 'POST', '/sign', data)),
  }
}

const call = (socketPath, method, path, body) =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, timeout: TIMEOUT_MS }, (response) => {
      if (response.statusCode === 200) buffer(response).then(resolve, reject)
      else reject(new Error(`the key management service answered ${response.statusCode} to ${method} ${path}`))
    })
    sent.on('timeout', () => sent.destroy(new Error('the key management service did not answer within 5 s')))
    sent.on('error', reject)
    sent.end(body)
  })
