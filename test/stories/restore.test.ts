// A backup is put back, with endings after it: what a registry with a witness does, and what a restore brings back and what not. Real files, real clock.
import { copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, newEs256Signer, newLogCopy } from '../../src/client/index.js'
import { proveKey } from '../../src/credentials/jose/sign.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { openStores } from '../../src/operations/collections.js'
import { restore } from '../../src/operations/restore/restore.js'
import { parseConfig } from '../../src/server/config.js'
import { type Registry as Served, serve } from '../../src/server/main.js'
import { startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { mirrorFile } from '../../src/trust-log/recovery/mirror-file.js'
import { type Actor, type AgentActor, aCard, type Cast, newCast } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'
import { introduce, reasonOf } from './actors.js'

let folder: Awaited<ReturnType<typeof tempFolder>>
let config: ReturnType<typeof parseConfig>
let registry: Served | undefined
let cast: Cast
let acme: Actor
let ocr: AgentActor
let planner: AgentActor
let code: string
const file = (name: string) => join(folder.path, name)
const start = async () => {
  registry = await serve(config)
  return registry
}
const stop = async () => {
  await registry?.close()
  registry = undefined
}
const backUp = () => copyFile(file('data/credence.db'), file('backup.db'))
const putBack = () => copyFile(file('backup.db'), file('data/credence.db'))
async function mirror(): Promise<void> {
  const kept = mirrorFile(file('mirror.jsonl'))
  const issuer = registry?.issuer ?? ''
  await newLogCopy(kept.read()).catchUp({ issuer, keys: await fetchRegistryKeys(issuer, 'log') }, kept.append)
}
const stateOf = async (by: Actor, { agentId }: AgentActor) => (await by.query<{ state: string }>('agents.get', { agentId })).state

beforeEach(async () => {
  folder = await tempFolder()
  const flags = { dev: true, dataDirectory: file('data'), witness: file('witness.json'), port: 0, adminPort: 0, logLevel: 'silent' }
  config = parseConfig(flags, undefined, {})
  const { issuer, firstCode = '' } = await start()
  // The same address after each start
  config = parseConfig({ ...flags, port: Number(new URL(issuer).port) }, undefined, {})
  cast = await newCast({ issuer, firstCode })
  acme = await cast.organisation('Acme')
  ocr = await cast.agent({ of: acme, name: 'ocr', contact: { mode: 'open' } })
  await ocr.publish({ card: aCard({ issuer }) })
  planner = await cast.agent({ of: acme, name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
  await introduce(planner, ocr)
  code = (await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })).code
  await mirror()
  await stop()
  await backUp()
  await start()
})
afterEach(async () => {
  await stop()
  await folder[Symbol.asyncDispose]()
})

test('a store that was put back is not served, and is left as it was', async () => {
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await putBack()
  await expect(start()).rejects.toThrow(/is behind its witness .*credence admin restore/)
  await expect(start()).rejects.toThrow(/is behind its witness/)
})

test('a store without its witness is not served', async () => {
  await stop()
  await rm(file('witness.json'))
  await expect(start()).rejects.toThrow(/there is no witness of its head at .*witness\.json/)
})

test('another store than the witnessed one is not served', async () => {
  await stop()
  await rm(file('data'), { recursive: true })
  await expect(start()).rejects.toThrow(/is behind its witness/)
})

describe('with a mirror that reaches the witnessed head', () => {
  beforeEach(async () => {
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await mirror()
    await stop()
    await putBack()
  })
  test('what was ended after the backup stays ended; tokens and codes are dead; everybody else goes on', async () => {
    const { accessToken } = await cast
      .as(ocr)
      .token()
      .catch(() => ({ accessToken: '' }))
    expect(accessToken).toBe('')
    expect(await restore(config, file('mirror.jsonl'))).toMatchObject({ isComplete: true, merged: 1, held: 0 })
    await start()
    expect(registry?.firstCode).toBeUndefined()
    const admin = cast.as(acme)
    expect(await stateOf({ ...acme, ...admin }, planner)).toBe('suspended')
    expect(await reasonOf(cast.as(planner).token())).toBe('invalid_client')
    expect(await reasonOf(cast.as(ocr).token())).toBe('done')
    // The old root token is of the old epoch
    expect(await reasonOf(acme.query('agents.get', { agentId: ocr.agentId }))).toBe('done')
    const signer = await newEs256Signer()
    const [invitation = ''] = code.split('.')
    const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: acme.issuer, owner: invitation })
    const joining = cast.operator.mutate('members.join', { code, name: 'Late', jwk: signer.publicJwk, proof })
    expect(await reasonOf(joining)).toBe('code_invalid')
    // The log of the new epoch can be checked, and mirrored on, by anybody
    await mirror()
    expect(
      mirrorFile(file('mirror.jsonl'))
        .read()
        .filter(({ type }) => type === 'epoch.started'),
    ).toHaveLength(2)
  })
  test('a mirror that is not there is refused, and nothing is held', async () => {
    await expect(restore(config, file('mirrror.jsonl'))).rejects.toMatchObject({ reason: 'bad_input' })
    expect(await restore(config, file('mirror.jsonl'))).toMatchObject({ isComplete: true, held: 0 })
  })
  test('a mirror of another history is refused, and nothing is written', async () => {
    const entries = mirrorFile(file('mirror.jsonl')).read()
    mirrorFile(file('other.jsonl')).append(entries.map((entry) => ({ ...entry, time: entry.time + 1 })))
    await expect(restore(config, file('other.jsonl'))).rejects.toThrow('another history')
    mirrorFile(file('short.jsonl')).append(entries.slice(0, 3))
    await expect(restore(config, file('short.jsonl'))).rejects.toThrow('the mirror ends at entry 2. Nothing was written')
    expect(await restore(config, file('short.jsonl'), { mayHold: true })).toMatchObject({ isComplete: false, merged: 0 })
  })
})

describe('how an agent was ended after the backup counts', () => {
  const put = (by: Pick<Actor, 'mutate'>, verb: string, { agentId } = ocr) => by.mutate(`agents.${verb}`, { agentId })
  const restored = async () => {
    await mirror()
    await stop()
    await putBack()
    const answer = await restore(config, file('mirror.jsonl'))
    await start()
    return answer
  }
  const reinstating = async (agent = ocr) => {
    const asked = []
    for (const one of [acme, cast.operator]) asked.push(await reasonOf(put(cast.as(one), 'reinstate', agent)))
    return asked
  }
  const again = async () => {
    await stop()
    await backUp()
    await start()
  }

  test('by whom one was suspended no log tells, so an operator lets it back', async () => {
    await put(cast.operator, 'suspend', planner)
    expect(await restored()).toMatchObject({ isComplete: true, merged: 1 })
    expect(await reinstating(planner)).toEqual(['forbidden', 'done'])
    expect(await reasonOf(cast.as(planner).token())).toBe('done')
  })
  test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['while it stood', async () => undefined, () => put(acme, 'revoke')],
    ['when it was suspended since', async () => undefined, () => put(acme, 'suspend').then(() => put(acme, 'revoke'))],
    ['when it was suspended before', () => put(acme, 'suspend'), () => put(acme, 'revoke')],
    ['when it had been let back', () => put(acme, 'suspend'), () => put(acme, 'reinstate').then(() => put(acme, 'revoke'))],
  ])('who was revoked %s stays so for ever', async (_, before, after) => {
    await before()
    await again()
    await after()
    await restored()
    expect(await reinstating()).toEqual(['already_ended', 'already_ended'])
  })
  test('who had been suspended by its administrator before, and by the operator since, needs an operator', async () => {
    await put(acme, 'suspend')
    await again()
    await put(cast.operator, 'suspend')
    await restored()
    expect(await reinstating()).toEqual(['forbidden', 'done'])
  })
  test('who was let back stays as it was in the backup: its administrator lets it back again', async () => {
    await put(acme, 'suspend')
    await again()
    await put(acme, 'reinstate')
    await restored()
    expect((await reinstating())[0]).toBe('done')
  })
  test('a second restore takes nothing back', async () => {
    await put(acme, 'suspend')
    await restored()
    await put(cast.as(acme), 'revoke')
    await again()
    await restored()
    expect(await reinstating()).toEqual(['already_ended', 'already_ended'])
  })
  test('a field of a newer build is no obstacle', async () => {
    await put(acme, 'revoke')
    await mirror()
    await stop()
    await putBack()
    const storage = await openSqlite({ file: file('data/credence.db'), clock: systemClock })
    expect(await openStores(storage).agents.collection.change(ocr.agentId, {}, { newer: 1 } as never)).toMatchObject({ newer: 1 })
    await storage.close()
    expect(await restore(config, file('mirror.jsonl'))).toMatchObject({ isComplete: true })
    await start()
    expect(await reinstating()).toEqual(['already_ended', 'already_ended'])
  })
})

test('hidden parts of a card are shown again, with the proof of their publisher’s key, and so once more after another restore', async () => {
  const [page] = aCard({ issuer: acme.issuer }).skills as readonly object[]
  const secret = { id: 'secret', name: 'Secret', description: 'Hidden.', tags: ['secret'] }
  await ocr.publish({ card: aCard({ issuer: acme.issuer }, { skills: [page, secret] as never }), hide: ['/skills/1'] })
  await introduce(planner, ocr)
  for (let times = 0; times < 2; times++) {
    await mirror()
    await stop()
    // The second time a backup of the epoch before
    await (times === 0 ? backUp() : putBack())
    expect(await restore(config, file('mirror.jsonl'))).toMatchObject({ isComplete: true, held: 0 })
    await start()
    expect(await cast.as(planner).card(ocr.agentId)).toMatchObject({
      state: 'verified',
      card: { skills: [expect.anything(), expect.objectContaining({ id: 'secret' })] },
    })
  }
})

test('without a mirror everything that lasts is held: a new operator comes in by a code, members confirm', async () => {
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await putBack()
  await expect(restore({ ...config, witness: file('nowhere.json') }, undefined)).rejects.toThrow(
    /there is no witness at .*nowhere\.json\. Nothing was written/,
  )
  const restored = await restore(config, undefined, { mayHold: true })
  expect(restored).toMatchObject({ isComplete: false, merged: 0 })
  expect(restored.held).toBeGreaterThan(6)
  const { issuer, firstCode = '' } = await start()
  for (const one of [cast.operator, acme, ocr, planner]) expect(await reasonOf(cast.as(one).token())).toBe('invalid_client')
  const again = await newCast({ issuer, firstCode })
  const { code: invitation } = await again.operator.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
  const admin = await again.join(invitation, 'Acme, again')
  expect([await stateOf(admin, ocr), await stateOf(admin, planner)]).toEqual(['suspended', 'suspended'])
  // What stood is confirmed, with a key that a person registers; what was suspended is not.
  await admin.mutate('agents.reinstate', { agentId: ocr.agentId })
  const signer = await newEs256Signer()
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer, owner: ocr.agentId })
  await admin.mutate('keys.register', { owner: ocr.agentId, use: 'client', jwk: signer.publicJwk, proof })
  expect(await reasonOf(again.as({ ...ocr, signer }).token())).toBe('done')
  expect(await reasonOf(cast.as(planner).token())).toBe('invalid_client')
})

test('where the store is a database that cannot be reached, the file beside it is not restored, and the witness stays', async () => {
  await stop()
  const before = await readFile(file('witness.json'), 'utf8')
  const elsewhere = { ...config, store: 'mongodb://127.0.0.1:9/credence' }
  await expect(restore(elsewhere, file('mirror.jsonl'))).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await readFile(file('witness.json'), 'utf8')).toBe(before)
}, 60_000)

test('a store that is ahead of its witness (it died before it wrote it) needs no mirror', async () => {
  await stop()
  await copyFile(file('witness.json'), file('old-witness.json'))
  await start()
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await copyFile(file('old-witness.json'), file('witness.json'))
  await start()
  expect(await stateOf(acme, planner)).toBe('suspended')
})

test('a verifier that is ahead of the registry proves that it lost something: it stays stale and keeps what it knows', async () => {
  const feed = await ocr.subscribe()
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await feed.sync()
  await mirror()
  const seen = mirrorFile(file('mirror.jsonl')).read()
  const { size } = feed.ended
  const at = feed.at
  await stop()
  await putBack()
  // Served in spite of it, by somebody who has no witness
  const storage = await openSqlite({ file: file('data/credence.db'), clock: systemClock })
  const { origin: issuer, port } = new URL(acme.issuer)
  const parts = { storage, clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1' }
  const server = await startServer({ ...parts, port: Number(port), adminPort: 0 })
  const fresh = await cast.as(ocr).subscribe()
  await fresh.sync()
  expect(fresh.at).toBeLessThan(at)
  // So does a mirror.
  const keys = await fetchRegistryKeys(issuer, 'log')
  await expect(newLogCopy(seen).catchUp({ issuer, keys }, () => undefined)).rejects.toThrow('an earlier one')
  for (let i = 0; i < 3; i++) await expect(feed.sync(300)).rejects.toThrow()
  expect([feed.at, feed.ended.size]).toEqual([at, size])
  feed.close()
  fresh.close()
  await server.close()
  await storage.close()
})
