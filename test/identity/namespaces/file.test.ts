// The proof by file, fetched from a real https server. It listens on port 443, which needs a right that not every machine gives.
import { once } from 'node:events'
import { createServer } from 'node:https'
import { expect, test } from 'vitest'
import type { NamespaceView } from '../../../src/identity/namespaces/view.js'
import { testDns } from '../../dns.js'
import { newCertificate } from '../../lib/guarded-fetch/new-certificate.js'
import { aCard, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { addNamespace } from './actors.js'

const HOST = 'files.acme.test'
const ADDRESS = '127.0.77.1'

const { key, cert } = newCertificate([HOST])
let file: { status: number; text: string } = { status: 404, text: '' }
const server = createServer({ key, cert }, ({ url }, response) => {
  const isFile = url === '/.well-known/credence.txt'
  response.writeHead(isFile ? file.status : 404, { 'content-type': 'text/plain' }).end(isFile ? file.text : '')
})
const isListening = await Promise.race([
  once(server.listen(443, ADDRESS), 'listening').then(() => true),
  once(server, 'error').then(() => false),
])
if (!isListening) console.warn(`\n*** NOT TESTED: the proof of a namespace by file, because port 443 of ${ADDRESS} cannot be opened ***\n`)

test.runIf(isListening)('a file with the challenge proves a name, but only for the host that serves it', async () => {
  const dns = testDns()
  dns.setAddresses(HOST, ADDRESS)
  await using registry = await startRegistry({ resolver: dns, ca: cert, outgoing: { mode: 'public', allow: [`${HOST}:443`] } })
  const acme = await registry.organisation('Acme')
  const check = () => acme.mutate<NamespaceView>('namespaces.check', { name: HOST })
  const { proof } = await addNamespace(acme, HOST)
  expect(proof?.file.url).toBe(`https://${HOST}/.well-known/credence.txt`)
  for (const other of [
    { status: 404, text: '' },
    { status: 500, text: proof?.file.content ?? '' },
    { status: 200, text: `x${proof?.file.content}` },
    { status: 200, text: `${'x'.repeat(5000)}\n${proof?.file.content}` },
  ]) {
    file = other
    expect(await reasonOf(check())).toBe('namespace_unverified')
  }
  file = { status: 200, text: `# proofs\r\n${proof?.file.content}\r\n` }
  expect(await check()).toMatchObject({ state: 'proved', method: 'file' })

  const agent = await registry.agent({ registeredBy: acme })
  const cardAt = (url: string) => aCard(registry, { supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
  expect((await agent.publish({ card: cardAt(`https://${HOST}:8443/rpc`) })).verdict).toMatchObject({
    state: 'verified',
    namespace: { name: HOST, method: 'file', host: HOST },
  })
  expect((await agent.publish({ card: cardAt(`https://sub.${HOST}/rpc`) })).verdict.state).toBe('signed')

  // A TXT record does not keep a proof by file alive, because it would cover more
  file = { status: 404, text: '' }
  dns.setTxt(`_credence-challenge.${HOST}`, proof?.txt.value ?? '')
  expect(await check()).toMatchObject({ state: 'failing', failures: 1 })
  server.close()
})

test('without outgoing requests a name is proved by TXT record only', async () => {
  const dns = testDns()
  await using registry = await startRegistry({ resolver: dns, outgoing: { mode: 'off', allow: [] } })
  const acme = await registry.organisation('Acme')
  const { proof } = await addNamespace(acme, 'off.test')
  await expect(acme.mutate('namespaces.check', { name: 'off.test' })).rejects.toThrow('sends no outgoing requests')
  dns.setTxt(proof?.txt.name ?? '', proof?.txt.value ?? '')
  expect(await acme.mutate('namespaces.check', { name: 'off.test' })).toMatchObject({ state: 'proved', method: 'txt' })
})
