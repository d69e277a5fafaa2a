import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, newEs256Signer, newLogCopy } from '../../src/client/index.js'
import { proveKey } from '../../src/credentials/jose/sign.js'
import { AGENTS } from '../../src/identity/agents/store.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { checkStore } from '../../src/operations/check/check.js'
import { restoreStore } from '../../src/operations/restore/restore.js'
import { parseConfig } from '../../src/server/config.js'
import { type Registry as Served, serve } from '../../src/server/main.js'
import { startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { mirrorFile } from '../../src/trust-log/recovery/mirror-file.js'
import { eventually } from '../eventually.js'
import { freePort } from '../free-port.mjs'
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
  const copy = mirrorFile(file('mirror.jsonl'))
  const issuer = registry?.issuer ?? ''
  const log = newLogCopy(copy.read())
  await log.catchUp({ issuer, keys: await fetchRegistryKeys(issuer, 'log') }, copy.append)
  await copy.saveCheckpoint(log.checkpoint?.note ?? '')
}
const stateOf = async (caller: Actor, { agentId }: AgentActor) => (await caller.query<{ state: string }>('agents.get', { agentId })).state

beforeEach(async () => {
  folder = await tempFolder()
  const port = await freePort()
  config = parseConfig(
    { dev: true, dataDirectory: file('data'), witness: file('witness.json'), port, adminPort: 0, logLevel: 'silent' },
    undefined,
    {},
  )
  const { issuer, firstCode = '' } = await start()
  cast = await newCast({ issuer, firstCode })
  acme = await cast.organisation('Acme')
  ocr = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
  await ocr.publish({ card: aCard({ issuer }) })
  planner = await cast.agent({ registeredBy: acme, name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
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

test('the server refuses a store that was put back from a backup, at every start', async () => {
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await putBack()
  await expect(start()).rejects.toThrow(/is behind its witness .*credence admin restore/)
  await expect(start()).rejects.toThrow(/is behind its witness/)
})

test('the server refuses a store whose witness file is missing', async () => {
  await stop()
  await rm(file('witness.json'))
  await expect(start()).rejects.toThrow(/the store has a log, but the witness file .*witness\.json does not exist\..*"A lost witness"/)
})

test('a lost witness is replaced by a new epoch of the log, and by a running registry with its next entry', async () => {
  await rm(file('witness.json'))
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await eventually(() => expect(existsSync(file('witness.json'))).toBe(true))
  await stop()
  await rm(file('witness.json'))
  config = { ...config, witness: file('new.json') }
  await expect(restoreStore(config, undefined, { isCurrent: true })).rejects.toThrow('there is nothing to reset')
  await restoreStore(config, undefined, { isCurrent: true, isForced: true })
  await start()
  expect(await stateOf(acme, planner)).toBe('suspended')
  await stop()
  await putBack()
  await expect(start()).rejects.toThrow(/is behind its witness .*new\.json/)
  await expect(restoreStore(config, undefined, { isCurrent: true, isForced: true })).rejects.toThrow(
    /The store is an old copy: run credence admin restore$/,
  )
})

test('the server refuses a new store that is configured with the witness of another store', async () => {
  await stop()
  await rm(file('data'), { recursive: true })
  await expect(start()).rejects.toThrow(/is behind its witness/)
})

describe('restore with a mirror that has the witnessed entry', () => {
  beforeEach(async () => {
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await mirror()
    await stop()
    await putBack()
  })
  test('revocations since the backup remain, earlier tokens and codes are invalid, and all other agents can request tokens', async () => {
    const { accessToken } = await cast
      .as(ocr)
      .token()
      .catch(() => ({ accessToken: '' }))
    expect(accessToken).toBe('')
    expect(await restoreStore(config, file('mirror.jsonl'))).toMatchObject({ reachesWitness: true, replayed: 1, quarantined: 0 })
    await start()
    expect(registry?.firstCode).toBeUndefined()
    const admin = cast.as(acme)
    expect(await stateOf({ ...acme, ...admin }, planner)).toBe('suspended')
    expect(await reasonOf(cast.as(planner).token())).toBe('invalid_client')
    expect(await reasonOf(cast.as(ocr).token())).toBe('done')
    // The root token of the old epoch is invalid; the client requests a new one.
    expect(await reasonOf(acme.query('agents.get', { agentId: ocr.agentId }))).toBe('done')
    const signer = await newEs256Signer()
    const [invitation = ''] = code.split('.')
    const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer: acme.issuer, owner: invitation })
    const joining = cast.operator.mutate('members.join', { code, name: 'Late', jwk: signer.publicJwk, proof })
    expect(await reasonOf(joining)).toBe('code_invalid')
    // The same mirror continues with the log of the new epoch.
    await mirror()
    expect(
      mirrorFile(file('mirror.jsonl'))
        .read()
        .filter(({ type }) => type === 'epoch.started'),
    ).toHaveLength(2)
  })
  test('a missing mirror file is refused, and the restore with the right file quarantines nothing', async () => {
    await expect(restoreStore(config, file('mirrror.jsonl'))).rejects.toMatchObject({ reason: 'bad_input' })
    expect(await restoreStore(config, file('mirror.jsonl'))).toMatchObject({ reachesWitness: true, quarantined: 0 })
  })
  test('the checkpoint of the mirror, which a key of the backup has signed, proves its entries', async () => {
    // An earlier release wrote no root into the witness
    const { root: _, ...witnessed } = JSON.parse(await readFile(file('witness.json'), 'utf8'))
    await writeFile(file('witness.json'), JSON.stringify(witnessed))
    const lines = (await readFile(file('mirror.jsonl'), 'utf8')).split('\n')
    const suspended = lines.findLastIndex((line) => line.includes('agent.suspended'))
    const changed = lines.with(suspended, JSON.stringify({ ...JSON.parse(lines[suspended] ?? ''), type: 'record.changed' }))
    await writeFile(file('mirror.jsonl'), changed.join('\n'))
    await expect(restoreStore(config, file('mirror.jsonl'), { mayQuarantine: true })).rejects.toThrow('another root than its checkpoint')
    await writeFile(file('mirror.jsonl'), lines.join('\n'))
    expect(await restoreStore(config, file('mirror.jsonl'))).not.toHaveProperty('unprovenEntries')
    await putBack()
    await writeFile(file('witness.json'), JSON.stringify(witnessed))
    await rm(file('mirror.jsonl.checkpoint'))
    expect(await restoreStore(config, file('mirror.jsonl'))).toHaveProperty('unprovenEntries.to', lines.length - 2)
  })
  test('a mirror of another history and a mirror that is too short are refused and change nothing', async () => {
    const entries = mirrorFile(file('mirror.jsonl')).read()
    mirrorFile(file('other.jsonl')).append(entries.map((entry) => ({ ...entry, time: entry.time + 1 })))
    await expect(restoreStore(config, file('other.jsonl'))).rejects.toThrow('have different histories')
    mirrorFile(file('short.jsonl')).append(entries.slice(0, 3))
    await expect(restoreStore(config, file('short.jsonl'))).rejects.toThrow('the mirror ends at entry 2. Nothing was written')
    expect(await restoreStore(config, file('short.jsonl'), { mayQuarantine: true })).toMatchObject({ reachesWitness: false, replayed: 0 })
  })
})

describe('a retirement of a key that was changed in the store', () => {
  const keyOf = async ({ agentId }: AgentActor) =>
    (await cast.as(acme).query<{ items: { keyId: string }[] }>('keys.list', { owner: agentId })).items[0]?.keyId
  /** Faults of the store after the change, and the refusal of a restore. */
  const faultsAfter = async (change: string) => {
    await copyFile(file('data/credence.db'), file('changed.db'))
    const db = new DatabaseSync(file('changed.db'))
    db.exec(`UPDATE "docs/registered-keys" SET doc = ${change}`)
    db.close()
    const { faults } = await checkStore({ config, file: file('changed.db'), log: silentLog, onProgress: () => undefined })
    return faults.filter(({ part }) => part === 'keys').map(({ text }) => text.replace(/ent_\S+/, 'ent_'))
  }
  const DIFFERS = 'its retirement differs from what entry ent_ of the log says'
  const NO_END = 'it is retired, but the time at which its handle ends was removed or changed'

  test.each([
    ['retired', async () => acme.mutate('keys.retire', { keyId: await keyOf(planner), overlapSeconds: 3000 })],
    ['rotated', async () => planner.rotateKey(await newEs256Signer())],
  ])('is named by admin check, and a restore refuses it (%s)', async (_, retire) => {
    await retire()
    await stop()
    await backUp()
    expect(await faultsAfter('doc')).toEqual([])
    expect(await faultsAfter("json_remove(doc, '$.retiresAt', '$.endsAt')")).toEqual([DIFFERS])
    expect(await faultsAfter("json_remove(doc, '$.endsAt')")).toEqual([NO_END])
    expect(await faultsAfter("json_set(doc, '$.endsAt', 9000000000) WHERE doc ->> '$.endsAt' IS NOT NULL")).toEqual([NO_END])
    const later = "json_set(doc, '$.retiresAt', 9000000000, '$.endsAt', 9000000000) WHERE doc ->> '$.endsAt' IS NOT NULL"
    expect(await faultsAfter(later)).toEqual([DIFFERS])
    // Also in the epoch after a restore, which has an entry of its own
    await restoreStore(config, undefined)
    expect(await faultsAfter('doc')).toEqual([])
    expect(await faultsAfter("json_remove(doc, '$.retiresAt', '$.endsAt')")).toEqual([DIFFERS])
    await putBack()
    const db = new DatabaseSync(file('data/credence.db'))
    db.exec(`UPDATE "docs/registered-keys" SET doc = json_remove(doc, '$.retiresAt', '$.endsAt')`)
    db.close()
    await expect(restoreStore(config, undefined, { mayQuarantine: true })).rejects.toThrow(DIFFERS.split('ent_')[0] ?? '')
  })

  test('is named also if it is an earlier retirement, with a longer overlap', async () => {
    const keyId = await keyOf(planner)
    const { retiresAt } = await acme.mutate<{ retiresAt: number }>('keys.retire', { keyId, overlapSeconds: 3000 })
    await acme.mutate('keys.retire', { keyId, overlapSeconds: 10 })
    await stop()
    expect(await faultsAfter('doc')).toEqual([])
    expect(await faultsAfter(`json_set(doc, '$.retiresAt', ${retiresAt}) WHERE doc ->> '$.endsAt' IS NOT NULL`)).toEqual([DIFFERS])
    await start()
  })
})

test.each([
  ['', () => Promise.resolve()],
  [', also one that was revoked before the backup', (keyId: unknown) => acme.mutate('keys.revoke', { keyId })],
])('a key that was declared compromised after the backup stays banned after a restore%s', async (_, before) => {
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: planner.agentId })
  const keyId = items[0]?.keyId
  await before(keyId)
  await stop()
  await backUp()
  await start()
  await acme.mutate('keys.compromise', { keyId, since: 0 })
  await mirror()
  await stop()
  await putBack()
  await restoreStore(config, file('mirror.jsonl'))
  await start()
  const register = async (key: Pick<Actor, 'signer'>) => {
    const proof = await proveKey(
      { signer: key.signer, clock: systemClock, random: systemRandom },
      { issuer: acme.issuer, owner: ocr.agentId },
    )
    return cast.as(acme).mutate('keys.register', { owner: ocr.agentId, use: 'client', jwk: key.signer.publicJwk, proof })
  }
  expect(await reasonOf(register(planner))).toBe('key_revoked')
  expect(await reasonOf(register({ signer: await newEs256Signer() }))).toBe('done')
})

describe('restore of an agent that was suspended or revoked after the backup', () => {
  const change = (caller: Pick<Actor, 'mutate'>, operation: 'suspend' | 'revoke' | 'reinstate', { agentId } = ocr) =>
    caller.mutate(`agents.${operation}`, { agentId })
  const restoreBackup = async () => {
    await mirror()
    await stop()
    await putBack()
    const result = await restoreStore(config, file('mirror.jsonl'))
    await start()
    return result
  }
  /** The results when an administrator, and then an operator, tries to reinstate the agent. */
  const tryReinstate = async (agent = ocr) => {
    const reasons = []
    for (const actor of [acme, cast.operator]) reasons.push(await reasonOf(change(cast.as(actor), 'reinstate', agent)))
    return reasons
  }
  const backUpAgain = async () => {
    await stop()
    await backUp()
    await start()
  }

  test('a suspended agent can be reinstated only by an operator, because the log does not tell who suspended it', async () => {
    await change(cast.operator, 'suspend', planner)
    expect(await restoreBackup()).toMatchObject({ reachesWitness: true, replayed: 1 })
    expect(await tryReinstate(planner)).toEqual(['forbidden', 'done'])
    expect(await reasonOf(cast.as(planner).token())).toBe('done')
  })
  test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['while it was active', async () => undefined, () => change(acme, 'revoke')],
    ['after a suspension since the backup', async () => undefined, () => change(acme, 'suspend').then(() => change(acme, 'revoke'))],
    ['after a suspension before the backup', () => change(acme, 'suspend'), () => change(acme, 'revoke')],
    [
      'after a reinstatement since the backup',
      () => change(acme, 'suspend'),
      () => change(acme, 'reinstate').then(() => change(acme, 'revoke')),
    ],
  ])('an agent that was revoked %s can never be reinstated', async (_, before, after) => {
    await before()
    await backUpAgain()
    await after()
    await restoreBackup()
    expect(await tryReinstate()).toEqual(['already_revoked', 'already_revoked'])
  })
  test('an agent that its administrator suspended before the backup and an operator since needs an operator', async () => {
    await change(acme, 'suspend')
    await backUpAgain()
    await change(cast.operator, 'suspend')
    await restoreBackup()
    expect(await tryReinstate()).toEqual(['forbidden', 'done'])
  })
  test('an agent that was reinstated since the backup is suspended again, and its administrator can reinstate it', async () => {
    await change(acme, 'suspend')
    await backUpAgain()
    await change(acme, 'reinstate')
    await restoreBackup()
    expect((await tryReinstate())[0]).toBe('done')
  })
  test('a second restore keeps the revocations of the first', async () => {
    await change(acme, 'suspend')
    await restoreBackup()
    await change(cast.as(acme), 'revoke')
    await backUpAgain()
    await restoreBackup()
    expect(await tryReinstate()).toEqual(['already_revoked', 'already_revoked'])
  })
  test('a record with a field that only a newer build knows is restored', async () => {
    await change(acme, 'revoke')
    await mirror()
    await stop()
    await putBack()
    const storage = await openSqlite({ file: file('data/credence.db'), clock: systemClock })
    expect(await storage.collection(AGENTS).change(ocr.agentId, {}, { newer: 1 } as never)).toMatchObject({ newer: 1 })
    await storage.close()
    expect(await restoreStore(config, file('mirror.jsonl'))).toMatchObject({ reachesWitness: true })
    await start()
    expect(await tryReinstate()).toEqual(['already_revoked', 'already_revoked'])
  })
})

test('non-public parts of a card verify after a restore, and again after a second restore', async () => {
  const [page] = aCard({ issuer: acme.issuer }).skills as readonly object[]
  const secret = { id: 'secret', name: 'Secret', description: 'Hidden.', tags: ['secret'] }
  await ocr.publish({ card: aCard({ issuer: acme.issuer }, { skills: [page, secret] as never }), hide: ['/skills/1'] })
  await introduce(planner, ocr)
  for (const isFirst of [true, false]) {
    await mirror()
    await stop()
    // The second restore uses a backup of the previous epoch.
    await (isFirst ? backUp() : putBack())
    expect(await restoreStore(config, file('mirror.jsonl'))).toMatchObject({ reachesWitness: true, quarantined: 0 })
    await start()
    expect(await cast.as(planner).card(ocr.agentId)).toMatchObject({
      state: 'verified',
      card: { skills: [expect.anything(), expect.objectContaining({ id: 'secret' })] },
    })
  }
})

test('a restore without a mirror quarantines the store: a new operator joins with the first code and invites administrators', async () => {
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await putBack()
  await expect(restoreStore({ ...config, witness: file('nowhere.json') }, undefined)).rejects.toThrow(
    /the witness file .*nowhere\.json does not exist\. Nothing was written/,
  )
  const restored = await restoreStore(config, undefined, { mayQuarantine: true })
  expect(restored).toMatchObject({ reachesWitness: false, replayed: 0 })
  expect(restored.quarantined).toBeGreaterThan(6)
  const { issuer, firstCode = '' } = await start()
  for (const actor of [cast.operator, acme, ocr, planner]) expect(await reasonOf(cast.as(actor).token())).toBe('invalid_client')
  const newOperators = await newCast({ issuer, firstCode })
  const { code: invitation } = await newOperators.operator.mutate<{ code: string }>('members.invite', {
    orgId: acme.orgId,
    role: 'administrator',
  })
  const admin = await newOperators.join(invitation, 'New administrator')
  expect([await stateOf(admin, ocr), await stateOf(admin, planner)]).toEqual(['suspended', 'suspended'])
  // The administrator reinstates one agent and registers a new key for it. The other one remains suspended.
  await admin.mutate('agents.reinstate', { agentId: ocr.agentId })
  const signer = await newEs256Signer()
  const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer, owner: ocr.agentId })
  await admin.mutate('keys.register', { owner: ocr.agentId, use: 'client', jwk: signer.publicJwk, proof })
  expect(await reasonOf(newOperators.as({ ...ocr, signer }).token())).toBe('done')
  expect(await reasonOf(cast.as(planner).token())).toBe('invalid_client')
})

test('a restore of an unreachable database is refused and leaves the witness unchanged', async () => {
  await stop()
  const before = await readFile(file('witness.json'), 'utf8')
  const unreachable = { ...config, store: 'mongodb://127.0.0.1:9/credence' }
  await expect(restoreStore(unreachable, file('mirror.jsonl'))).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await readFile(file('witness.json'), 'utf8')).toBe(before)
})

test('a store that is ahead of its witness, as after a crash, is served without a restore', async () => {
  await stop()
  await copyFile(file('witness.json'), file('old-witness.json'))
  await start()
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await stop()
  await copyFile(file('old-witness.json'), file('witness.json'))
  await start()
  expect(await stateOf(acme, planner)).toBe('suspended')
})

test('a verifier that is ahead of a registry without a witness stays stale and keeps its ended set', async () => {
  const feed = await ocr.subscribe()
  await acme.mutate('agents.suspend', { agentId: planner.agentId })
  await feed.sync()
  await mirror()
  const mirrored = mirrorFile(file('mirror.jsonl')).read()
  const { size } = feed.ended
  const { seq } = feed
  await stop()
  await putBack()
  // A server without a witness cannot notice the lost entries.
  const storage = await openSqlite({ file: file('data/credence.db'), clock: systemClock })
  const { origin: issuer, port } = new URL(acme.issuer)
  const deps = { storage, clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1' }
  const server = await startServer({ ...deps, port: Number(port), adminPort: 0 })
  const fresh = await cast.as(ocr).subscribe()
  await fresh.sync()
  expect(fresh.seq).toBeLessThan(seq)
  // A mirror notices them too.
  const keys = await fetchRegistryKeys(issuer, 'log')
  await expect(newLogCopy(mirrored).catchUp({ issuer, keys }, () => undefined)).rejects.toThrow('an earlier state')
  for (let i = 0; i < 3; i++) await expect(feed.sync(300)).rejects.toThrow()
  expect([feed.seq, feed.ended.size]).toEqual([seq, size])
  feed.close()
  fresh.close()
  await server.close()
  await storage.close()
})
