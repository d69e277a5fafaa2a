import { execFile } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { register } from '../adoption/peers.js'
import { startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'

const ROOT = resolve(import.meta.dirname, '../..')
const MAX_INSTALLED_BYTES = 10_000_000
/** Unit of `stat.blocks`. */
const BLOCK_BYTES = 512
const run = promisify(execFile)

let temp: Awaited<ReturnType<typeof tempFolder>>
/**
 * A folder in which credence-client is installed. CI names one that `npm install` has filled; otherwise the test fills one without a
 * network.
 */
let folder: string
beforeAll(async () => {
  temp = await tempFolder()
  folder = process.env.CREDENCE_CLIENT_FOLDER ?? join(temp.path, 'app')
  if (process.env.CREDENCE_CLIENT_FOLDER === undefined) await installOffline()
})
afterAll(() => temp[Symbol.asyncDispose]())

/** Unpacks the tarball and copies its dependencies from the project, which has the same versions. */
async function installOffline(): Promise<void> {
  const { stdout } = await run(process.execPath, [join(ROOT, 'deploy/pack-client.mjs'), temp.path])
  const target = join(folder, 'node_modules/credence-client')
  await mkdir(target, { recursive: true })
  await run('tar', ['xzf', stdout.trim(), '--strip-components=1', '-C', target])
  const queue = Object.keys((await manifestOf(target)).dependencies)
  const installed = new Set<string>()
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (installed.has(name)) continue
    installed.add(name)
    const source = join(ROOT, 'node_modules', name)
    await cp(source, join(folder, 'node_modules', name), { recursive: true })
    queue.push(...Object.keys((await manifestOf(source)).dependencies ?? {}))
  }
}

const manifestOf = async (path: string) => JSON.parse(await readFile(join(path, 'package.json'), 'utf8'))

test('credence-client depends on the exact versions of two npm packages, none of them a server', async () => {
  const { name, version, dependencies } = await manifestOf(join(folder, 'node_modules/credence-client'))
  const project = await manifestOf(ROOT)
  expect([name, version]).toEqual(['credence-client', project.version])
  expect(Object.keys(dependencies)).toEqual(['ws', 'zod'])
  expect(project.dependencies).toMatchObject(dependencies)
})

test('credence-client contains declarations of five chapters and no source maps', () => {
  const files = readdirSync(join(folder, 'node_modules/credence-client'), { recursive: true, encoding: 'utf8' })
  const chapters = readdirSync(join(folder, 'node_modules/credence-client/dist')).filter((name) => !name.includes('.'))
  expect(chapters.sort()).toEqual(['client', 'credentials', 'lib', 'protocol', 'verifier'])
  expect(files.filter((file) => file.endsWith('.map'))).toEqual([])
})

test('credence-client and its dependencies take at most 10 MB on disk', () => {
  const bytes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(join(folder, file)))
    .reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0)
  expect(bytes).toBeGreaterThan(1_000_000)
  expect(bytes).toBeLessThanOrEqual(MAX_INSTALLED_BYTES)
})

test('a program that imports both entries of credence-client compiles with skipLibCheck off and without the types of Node', async () => {
  const program = `
import { type AgentOptions, createAgent, credenceLink, type Feed, newEs256Signer } from 'credence-client'
import { createVerifier, guardFetch, guardHono, needsForAll, type Verified } from 'credence-client/verifier'

const options: AgentOptions = { issuer: 'https://registry.example', clientId: 'agt_x', signer: await newEs256Signer() }
const feed: Feed = await createAgent(options).subscribe({ onRevoked: (revoked) => console.log(revoked.length) })
const verifier = createVerifier({ issuer: options.issuer, audience: 'a', publicUrl: 'https://a.example', standing: feed })
export const fetch = guardFetch(verifier, { scope: 'ocr:read' }, (_, { chain }: Verified) => Response.json({ chain }))
export const link = credenceLink(createAgent(options))
export const hono = guardHono(verifier, { scope: 'x' })
export const needs = needsForAll({ scope: 'ocr:read' })
`
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.iterable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: [],
    noEmit: true,
  }
  await writeFile(join(folder, 'program.ts'), program)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }))
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
  const { stdout } = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch((error) => error)
  expect(stdout).toBe('')
})

test('an agent calls a guarded server, and both run from credence-client', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const acme = await registry.organisation('Acme')
  const server = await register(registry, acme)
  const ceiling = { rights: [{ audience: server.audience, scope: 'ocr:read' }] }
  const caller = await register(registry, acme, { name: 'caller', ceiling })
  const program = `
import { createServer } from 'node:http'
import { confirmAgent, createAgent, newEs256Signer } from 'credence-client'
import { createVerifier, credenceOf, guard } from 'credence-client/verifier'

const { issuer, server, caller } = JSON.parse(process.env.PROGRAM)
const start = async ({ agentId, registrationToken }) => {
  const signer = await newEs256Signer()
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  return createAgent({ issuer, clientId: agentId, signer })
}
const [resourceServer, client] = [await start(server), await start(caller)]
const http = createServer((request, response) => protect(request, response, () => response.end(credenceOf(request).claims.sub)))
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
const publicUrl = \`http://127.0.0.1:\${http.address().port}\`
await resourceServer.publish({
  card: {
    name: 'ocr', description: 'Reads pages.', version: '1', capabilities: {}, defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    supportedInterfaces: [{ url: publicUrl, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    securitySchemes: { credence: { oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: \`\${issuer}/oauth/token\`, scopes: { 'ocr:read': 'read' } } } } } },
    skills: [{ id: 'read', name: 'Read', description: 'Reads a page.', tags: ['ocr'] }],
  },
})
const feed = await resourceServer.subscribe()
const protect = guard(createVerifier({ issuer, audience: server.audience, publicUrl, standing: feed }), { scope: 'ocr:read' })
const { state } = await client.introduce({ to: server.agentId, purpose: 'reading', scopes: ['ocr:read'] })
const served = await client.fetchAs({ audience: server.audience })(publicUrl)
const refused = await fetch(publicUrl)
console.log(JSON.stringify([state, served.status, await served.text(), refused.status]))
feed.close()
http.close()
process.exit()
`
  await writeFile(join(folder, 'program.mjs'), program)
  const { stdout } = await run(process.execPath, ['program.mjs'], {
    cwd: folder,
    env: { ...process.env, PROGRAM: JSON.stringify({ issuer: registry.issuer, server, caller }) },
  })
  expect(JSON.parse(stdout)).toEqual(['granted', 200, caller.agentId, 401])
})
