// Damages a real store (test/storage/fixtures) in one place, and expects `admin check` to name that place.
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import { REGISTERED_CLIENTS, type RegisteredClient } from '../../../src/identity/clients/store.js'
import { KEY_CODES } from '../../../src/identity/keys/store.js'
import { INVITATIONS } from '../../../src/identity/members/store.js'
import { PASSKEYS } from '../../../src/identity/people/store.js'
import { REGISTRATION_GRANTS } from '../../../src/identity/registrations/store.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { checkStore } from '../../../src/operations/check/check.js'
import { type Handle, newHandle } from '../../../src/protocol/handles.js'
import { EntryId, ExternalClientId, MemberId, newId, OrgId } from '../../../src/protocol/ids.js'
import { parseDataConfig } from '../../../src/server/config.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import type { Doc, Spec } from '../../../src/storage/storage.js'
import { setClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'

const FORGED = '0123456789abcdefghijkl'
const FIXTURE = gunzipSync(readFileSync(resolve(import.meta.dirname, '../../storage/fixtures/format-6.db.gz')))

/** Writes the store, damages it, and returns what the check finds. */
async function checkOf(damage: (file: string) => void | Promise<void>) {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  writeFileSync(file, FIXTURE, { mode: 0o600 })
  await damage(file)
  const before = readFileSync(file)
  const result = await checkStore({ config: parseDataConfig({}, undefined, {}), file, log: silentLog, onProgress: () => undefined })
  expect(readFileSync(file).equals(before)).toBe(true)
  return result
}

const sql = (statement: string) => (file: string) => {
  const db = new DatabaseSync(file)
  db.exec(statement)
  db.close()
}
const first = (table: string) => `rowid = (SELECT min(rowid) FROM "${table}")`
const anyDoc = (collection: string) => `key = (SELECT min(key) FROM "docs/${collection}")`

test('a store without damage is sound', async () => {
  const result = await checkOf(() => undefined)
  expect(result).toMatchObject({
    isSound: true,
    faults: [],
    faultsInAll: 0,
    notChecked: ['the audit chains: another release has made their indexes; start this release once'],
    position: expect.stringMatching(/^epo:.*\.\d+$/),
  })
  expect([result.checked.blocks > 10, result.checked.documents > 50]).toEqual([true, true])
})

test.each([
  ['a block that is no JSON', "UPDATE log_blocks SET block = '{' WHERE n = 3", 'log', 'block 3', /it is no JSON/, false],
  [
    'a block with another form',
    `UPDATE log_blocks SET block = '{"n":3}' WHERE n = 3`,
    'log',
    'block 3',
    /not the text of this block/,
    false,
  ],
  ['a missing block', 'DELETE FROM log_blocks WHERE n = 3', 'log', 'block 3', /block 4 does not follow block 2/, false],
  [
    'a changed entry',
    `UPDATE log_blocks SET block = json_set(block, '$.entries[0].time', 1) WHERE n = 3`,
    'log',
    'block 3',
    /Merkle tree of block 3/,
    false,
  ],
  [
    'a changed horizon',
    'UPDATE log_blocks SET until = 1 WHERE n = (SELECT max(n) FROM log_blocks WHERE until > 1)',
    'log',
    /block \d+/,
    /horizon/,
    false,
  ],
  ['an entry that is not indexed', 'DELETE FROM log_entries WHERE n = 3', 'log', 'block 3', /lacks entry ent_/, false],
  ['an indexed entry without a block', "INSERT INTO log_entries VALUES ('ent_x', 99999)", 'log', 'entry ent_x', /missing/, false],
  [
    'a document that is no JSON',
    `UPDATE "docs/agents" SET doc = 'x' WHERE ${anyDoc('agents')}`,
    'documents',
    /^agents\/agt_/,
    /no JSON/,
    false,
  ],
  [
    'a document that breaks its schema',
    `UPDATE "docs/tasks" SET doc = json_set(doc, '$.createdAt', 'x') WHERE ${anyDoc('tasks')}`,
    'documents',
    /^tasks\/tsk_/,
    /createdAt/,
    false,
  ],
  [
    'a document under another key',
    `UPDATE "docs/tasks" SET key = 'tsk_x' WHERE ${anyDoc('tasks')}`,
    'documents',
    'tasks/tsk_x',
    /another key/,
    false,
  ],
  [
    'a changed public key of the registry',
    `UPDATE "docs/signing-keys" SET doc = json_set(doc, '$.publicJwk.x', json_extract(doc, '$.publicJwk.y')) WHERE ${anyDoc('signing-keys')}`,
    'keys',
    /^signing-keys\//,
    /its id is not that of its public key/,
    false,
  ],
  [
    'a changed private key of the registry',
    `UPDATE "docs/signing-keys" SET doc = json_set(doc, '$.d', json_extract(doc, '$.publicJwk.y')) WHERE ${anyDoc('signing-keys')}`,
    'keys',
    /^signing-keys\//,
    /its private key does not belong/,
    false,
  ],
  [
    'a registered key that was put into the store',
    `INSERT INTO "docs/registered-keys" SELECT 'key_' || substr(key, 5, 21) || 'Z', json_set(doc, '$.id', 'key_' || substr(key, 5, 21) || 'Z'), expires FROM "docs/registered-keys" WHERE ${anyDoc('registered-keys')}`,
    'keys',
    /^registered-keys\/key_.{21}Z$/,
    /differs from what entry ent_/,
    false,
  ],
  [
    'a registered key that was changed',
    `UPDATE "docs/registered-keys" SET doc = json_set(doc, '$.jwk.x', json_extract(doc, '$.jwk.y')) WHERE ${anyDoc('registered-keys')}`,
    'keys',
    /^registered-keys\//,
    /differs from what entry ent_/,
    false,
  ],
  [
    'a registered key whose entry the log lacks',
    `UPDATE "docs/registered-keys" SET doc = json_set(doc, '$.entry', 'ent_0123456789abcdefghijkl') WHERE ${anyDoc('registered-keys')}`,
    'keys',
    /^registered-keys\//,
    /the log has no entry ent_0123456789abcdefghijkl/,
    false,
  ],
  [
    'a slot that names the key of another owner',
    `UPDATE "docs/key-slots" SET doc = json_set(doc, '$.owner', 'mem_0123456789abcdefghijkl') WHERE ${anyDoc('key-slots')}`,
    'keys',
    /^key-slots\//,
    /its owner mem_0123456789abcdefghijkl differs from the owner/,
    false,
  ],
  [
    'a slot with another handle than its key',
    `UPDATE "docs/key-slots" SET doc = json_set(doc, '$.handle', 'key:0123456789abcdefghijkl') WHERE ${anyDoc('key-slots')}`,
    'keys',
    /^key-slots\//,
    /its handle key:0123456789abcdefghijkl differs from the handle/,
    false,
  ],
  [
    'a slot with the number of another slot',
    `UPDATE "docs/key-slots" SET doc = json_set(doc, '$.number', 31) WHERE key LIKE '% 0'`,
    'keys',
    /^key-slots\/.* 0$/,
    /its id does not belong to its key key_/,
    false,
  ],
  [
    'a missing index row',
    'DELETE FROM "docs/signing-keys/version" WHERE f0 = \'log\'',
    'index',
    /^signing-keys\//,
    /index version is missing/,
    true,
  ],
  [
    'an index row without a document',
    `INSERT INTO "docs/signing-keys/version" VALUES ('log', 99, 'nobody')`,
    'index',
    'signing-keys/nobody',
    /matches no document/,
    true,
  ],
  [
    'a changed expiry',
    `UPDATE "docs/introductions" SET expires = 1 WHERE ${anyDoc('introductions')}`,
    'index',
    /^introductions\//,
    /expiry differs/,
    true,
  ],
  ['a counter that is no number', "INSERT OR REPLACE INTO counters VALUES ('c', 'x', 1)", 'documents', 'counter c', /no number/, false],
  [
    'a summary that is no JSON',
    `UPDATE card_summaries SET summary = '{' WHERE ${first('card_summaries')}`,
    'search',
    /^card agt_/,
    /no JSON/,
    true,
  ],
  [
    'a list that lacks a search row',
    'DELETE FROM card_lists WHERE list = (SELECT min(list) FROM card_lists)',
    'search',
    /^card agt_/,
    /list lacks/,
    true,
  ],
  ['a list with another row', "INSERT INTO card_lists VALUES ('x', 99, 1, '')", 'search', 'the lists', /too many/, true],
  ['a search row without content', `DELETE FROM card_contents WHERE ${first('card_contents')}`, 'search', /^card agt_/, /content/, true],
  ['a search row without a card', `DELETE FROM "docs/cards" WHERE ${anyDoc('cards')}`, 'search', /^card agt_/, /belongs to no card/, true],
] as const)('%s is named', async (_, statement, part, where, text, isDerived) => {
  const { isSound, faults } = await checkOf(sql(statement))
  expect(isSound).toBe(false)
  const matching = expect.objectContaining({
    part,
    where: typeof where === 'string' ? where : expect.stringMatching(where),
    text: expect.stringMatching(text),
    isDerived,
  })
  expect(faults).toContainEqual(matching)
})

const [orgId, clientId] = [OrgId.parse(`org_${FORGED}`), MemberId.parse(`mem_${FORGED}`)]
const code = { codeHash: 'x'.repeat(43), grantedBy: [], dependsOn: [], expiresAt: 4e9 }
test.each([
  [KEY_CODES, { ...code, id: `kcd_${FORGED}`, orgId, clientId, revokeOthers: false, issuer: clientId }],
  [INVITATIONS, { ...code, id: `inv_${FORGED}`, orgId, role: 'operator' }],
  [
    REGISTRATION_GRANTS,
    {
      ...code,
      id: `reg_${FORGED}`,
      orgId,
      ceiling: { rights: [], tokenSeconds: 60, delegationDepth: 0 },
      grantTypes: ['client_credentials'],
      uses: 1,
      usesLeft: 1,
      issuer: clientId,
      createdAt: 1,
    },
  ],
] as const)('a code without an epoch is named: $name', async (spec, planted) => {
  const { faults } = await checkOf(async (file) => {
    const storage = await openSqlite({ file, clock: setClock() })
    expect(await storage.collection(spec as unknown as Spec<Doc>).insert(planted)).toBe('inserted')
    await storage.close()
  })
  expect(faults).toMatchObject([{ part: 'keys', where: `${spec.name}/${planted.id}`, text: 'it names no epoch in which it was issued' }])
})

test('a store that was killed is examined with its write-ahead log, and none of its bytes change', async () => {
  await using folder = await tempFolder()
  const [running, killed] = ['running.db', 'killed.db'].map((name) => join(folder.path, name)) as [string, string]
  writeFileSync(running, FIXTURE, { mode: 0o600 })
  const storage = await openSqlite({ file: running, clock: setClock() })
  const code_ = { ...code, id: `kcd_${FORGED}`, orgId, clientId, revokeOthers: false, issuer: clientId }
  expect(await storage.collection(KEY_CODES as unknown as Spec<Doc>).insert(code_)).toBe('inserted')
  // What SIGKILL leaves: the write-ahead log was not copied into the file
  const names = ['', '-wal']
  for (const name of names) copyFileSync(`${running}${name}`, `${killed}${name}`)
  await storage.close()
  const bytes = () => names.map((name) => readFileSync(`${killed}${name}`).toString('base64'))
  const check = () => checkStore({ config: parseDataConfig({}, undefined, {}), file: killed, log: silentLog, onProgress: () => undefined })
  const before = [bytes(), readdirSync(folder.path)]
  expect((await check()).faults).toMatchObject([{ text: 'it names no epoch in which it was issued' }])
  expect([bytes(), readdirSync(folder.path)]).toEqual(before)
  // A copy without the log of the same name (cp): still in the mode that needs one
  rmSync(`${killed}-wal`)
  const alone = [readFileSync(killed).toString('base64'), readdirSync(folder.path)]
  expect((await check()).faults).toEqual([])
  expect([readFileSync(killed).toString('base64'), readdirSync(folder.path)]).toEqual(alone)
})

test('the keys of a self-registered client that the log does not know are named, also with the entry of another record', async () => {
  const jwk = { kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43) }
  const planted = (id: string, entry: EntryId, epoch: Handle): RegisteredClient => ({
    id: ExternalClientId.parse(id),
    metadata: {
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      response_types: [],
      jwks: { keys: [jwk] },
    },
    epoch,
    entry,
    createdAt: 1,
  })
  const { faults } = await checkOf(async (file) => {
    const storage = await openSqlite({ file, clock: setClock() })
    const [block] = await storage.log.read(1, 1)
    const known = block?.entries[0]?.id ?? EntryId.parse(`ent_${FORGED}`)
    const clients = storage.collection(REGISTERED_CLIENTS)
    const epoch = newHandle(systemRandom, 'epo')
    await clients.insert(planted(`cli_${FORGED}`, EntryId.parse(`ent_${FORGED}`), epoch))
    await clients.insert(planted(`cli_${FORGED.replace('0', '1')}`, known, epoch))
    for (const [credentialId, entry] of [
      ['one', EntryId.parse(`ent_${FORGED}`)],
      ['two', known],
    ] as const)
      await storage.collection(PASSKEYS).insert({
        id: newId(systemRandom, 'key'),
        memberId: MemberId.parse(`mem_${FORGED}`),
        orgId: OrgId.parse(`org_${FORGED}`),
        handle: newHandle(systemRandom, 'key'),
        credentialId,
        publicKey: 'x',
        counter: 0,
        entry,
        salt: 'x',
        grantedBy: [],
        createdAt: 1,
        usedAt: 1,
      })
    await storage.close()
  })
  expect(faults.map(({ part, where, text }) => [part, where.split('/')[0], text.replace(/ent_\S+/, 'ent_')]).sort()).toEqual([
    ['keys', 'passkeys', 'it differs from what entry ent_ of the log says'],
    ['keys', 'passkeys', 'the log has no entry ent_ of its registration'],
    ['keys', 'registered-clients', 'its keys differ from what entry ent_ of the log says'],
    ['keys', 'registered-clients', 'the log has no entry ent_ of its metadata'],
  ])
})

test('flipped bytes of a page are named, and the check ends', async () => {
  const { isSound, faults } = await checkOf((file) => {
    const bytes = readFileSync(file)
    bytes.fill(0x5a, 4096 * 20, 4096 * 24)
    writeFileSync(file, bytes)
  })
  expect(isSound).toBe(false)
  expect(faults.map(({ part }) => part)).toContain('pages')
})

test('thousands of documents are examined page by page, and damage at the end is found', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'credence.db')
  const storage = await openSqlite({ file, clock: setClock() })
  const { CONSUMED_IDS } = await import('../../../src/storage/replay-cache.js')
  const ids = storage.collection(CONSUMED_IDS)
  const count = 12_000
  await Promise.all(Array.from({ length: count }, (_, i) => ids.insert({ id: `assertion ${String(i).padStart(6, '0')}`, expiresAt: 4e9 })))
  await storage.close()
  sql(`UPDATE "docs/consumed-ids" SET doc = '[]' WHERE key = 'assertion 011999'`)(file)
  const progress: string[] = []
  const onProgress = ({ step, done }: { readonly step: string; readonly done: number }) => progress.push(`${step} ${done}`)
  const result = await checkStore({ config: parseDataConfig({}, undefined, {}), file, log: silentLog, onProgress })
  expect(result.checked.documents).toBe(count)
  expect(result.faults).toMatchObject([{ part: 'documents', where: 'consumed-ids/assertion 011999' }])
  expect(progress).toContain('documents 10000')
})
