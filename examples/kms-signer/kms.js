// A key management service in one file: a process that holds the private key and signs for the user that may open its socket. In production a hardware
// module, or the service of a cloud provider, takes its place.
//
// node kms.js <key file> <socket>
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { newPrivateJwk, signerFromJwk } from 'credence/client'

const MAX_BYTES = 65_536
const [keyFile, socket] = process.argv.slice(2)
if (!existsSync(keyFile)) writeFileSync(keyFile, JSON.stringify(await newPrivateJwk('ES256')), { mode: 0o600, flag: 'wx' })
const { alg, publicJwk, sign } = await signerFromJwk(JSON.parse(readFileSync(keyFile, 'utf8')))

async function bodyOf(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function respond(request, response) {
  if (request.url === '/key' && request.method === 'GET') return response.end(JSON.stringify({ alg, publicJwk }))
  if (request.url !== '/sign' || request.method !== 'POST') return response.writeHead(404).end()
  const data = await bodyOf(request)
  if (data === undefined) return response.writeHead(413).end()
  response.end(Buffer.from(await sign(data)))
}

const server = createServer((request, response) => {
  respond(request, response).catch(() => response.destroy())
})
// The socket gets mode 600: only this user may ask for signatures
process.umask(0o177)
rmSync(socket, { force: true })
server.listen(socket, () => console.log('ready'))
