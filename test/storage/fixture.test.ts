// Opens the stores that earlier releases wrote, from the first format on that must be readable (test/storage/fixtures/write.mjs).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createAgent, fetchRegistryKeys, isConsistent, verifyWholeLog } from '../../src/client/index.js'
import { signerFromJwk } from '../../src/credentials/jose/sign.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { setClock } from '../set-clock.js'
import { reasonOf } from '../stories/actors.js'
import { tempFolder } from './open-store.js'

type Name = 'operator' | 'administrator' | 'ocr' | 'planner' | 'suspended'
interface Facts {
  readonly issuer: string
  readonly writtenAt: number
  readonly checkpoint: readonly string[]
  readonly clients: Readonly<Record<Name, string>>
  readonly keys: Readonly<Record<Name, Parameters<typeof signerFromJwk>[0]>>
  readonly audience: string
  readonly granted: string
  readonly revoked: string
  readonly task: string
}

const FOLDER = resolve(import.meta.dirname, 'fixtures')
const FORMATS = readdirSync(FOLDER).flatMap((name) => /^(format-\d+)\.json$/.exec(name)?.[1] ?? [])

test.each(FORMATS)('a store of %s is opened, and all is as it was', async (format) => {
  await using folder = await tempFolder()
  const facts = JSON.parse(readFileSync(join(FOLDER, `${format}.json`), 'utf8')) as Facts
  const file = join(folder.path, 'credence.db')
  writeFileSync(file, gunzipSync(readFileSync(join(FOLDER, `${format}.db.gz`))), { mode: 0o600 })
  const { issuer } = facts
  const clock = setClock(facts.writtenAt + 3600)
  const storage = await openSqlite({ file, clock })
  const server = await startServer({
    storage,
    clock,
    random: systemRandom,
    log: silentLog,
    issuer,
    dev: true,
    host: '127.0.0.1',
    port: 0,
    adminPort: 0,
  })
  try {
    const here = (url: string) => url.replace(issuer, `http://127.0.0.1:${server.port}`)
    const as = async (name: Name) =>
      createAgent({
        issuer,
        clientId: facts.clients[name],
        signer: await signerFromJwk(facts.keys[name]),
        clock,
        fetch: (input, init) => fetch(here(String(input)), init),
      })
    const [planner, suspended, admin] = [await as('planner'), await as('suspended'), await as('administrator')]

    const reached = (input: string | URL | Request, init?: RequestInit) => fetch(here(String(input)), init)
    const keys = await fetchRegistryKeys(issuer, 'log', reached)
    const source = { issuer, keys, fetch: reached }
    const [, size, root = ''] = facts.checkpoint
    const { checkpoint } = await verifyWholeLog(source)
    // A newer release may have added keys; what was written before is unchanged
    expect(facts.checkpoint.join('\n')).toContain(checkpoint.epoch)
    const written = { ...checkpoint, size: Number(size), root: Buffer.from(root, 'base64').toString('base64url') }
    expect(await isConsistent(source, written, checkpoint)).toBe(true)

    expect((await planner.introductions.get(facts.granted)).state).toBe('granted')
    expect(await reasonOf(planner.exchange({ audience: facts.audience }))).toBe('done')
    expect(await planner.introductions.get(facts.revoked)).toMatchObject({ state: 'ended', reason: 'no_longer_needed', note: 'a fixture' })
    expect(await planner.tasks.get(facts.task)).toMatchObject({ state: 'ended', reason: 'superseded', endedBy: facts.clients.planner })
    expect(await planner.lineage({ taskId: facts.task })).toMatchObject([{ revoked: false }, { revoked: true, reason: 'superseded' }])
    expect(await reasonOf(suspended.token())).toBe('invalid_client')
    expect((await planner.search({ text: 'scanned documents' })).total).toBe(1)
    expect(await admin.query('audit.verify')).toMatchObject({ broken: [], brokenAnchors: [] })
    await admin.mutate('agents.reinstate', { agentId: facts.clients.suspended })
    expect(await reasonOf((await as('suspended')).token())).toBe('done')

    // The registry goes on: it publishes, introduces, exchanges and revokes
    const ocr = await as('ocr')
    const { version } = await ocr.cardView(facts.clients.ocr)
    const card = await (await fetch(here(`${issuer}/agents/${facts.clients.ocr}/.well-known/agent-card.json`))).json()
    const published = await ocr.publish({
      card: { ...card, signatures: undefined, description: 'Reads scanned documents, after an upgrade.' },
    })
    expect(published.version).toBe(version + 1)
    expect((await planner.search({ text: 'upgrade' })).total).toBe(1)
    const introduced = await planner.introduce({ to: facts.clients.ocr, purpose: 'upgrade', scopes: ['ocr:read'] })
    const { accessToken } = await planner.exchange({ audience: facts.audience })
    expect((await ocr.introspect(accessToken)).active).toBe(true)
    await planner.revoke(accessToken)
    expect((await ocr.introspect(accessToken)).active).toBe(false)
    expect(introduced.introductionId).toMatch(/^int_/)
  } finally {
    await server.close()
    await storage.close()
  }
})
