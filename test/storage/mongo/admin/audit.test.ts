// The audit over MongoDB: export and retention with two instances, and `admin check` of a deployment that is in use.
import { expect, test } from 'vitest'
import { anchorLinks } from '../../../../src/audit/anchors.js'
import { newAudit } from '../../../../src/audit/audit-log.js'
import { exportAudit } from '../../../../src/audit/export.js'
import { removeExpiredRows } from '../../../../src/audit/remove-rows.js'
import { setRetention } from '../../../../src/audit/retention.js'
import { verifyPart } from '../../../../src/audit/verify.js'
import { newEs256Signer } from '../../../../src/credentials/jose/sign.js'
import { REGISTERED_KEYS, type RegisteredKey } from '../../../../src/identity/keys/store.js'
import { silentLog } from '../../../../src/lib/log.js'
import { systemRandom as random } from '../../../../src/lib/random.js'
import { checkStore } from '../../../../src/operations/check/check.js'
import { openCollections } from '../../../../src/operations/collections.js'
import { newHandle } from '../../../../src/protocol/handles.js'
import { newId } from '../../../../src/protocol/ids.js'
import { parseDataConfig } from '../../../../src/server/config.js'
import { openMongo } from '../../../../src/storage/mongo/open.js'
import { newTrustLog } from '../../../../src/trust-log/new-trust-log.js'
import { setClock } from '../../../set-clock.js'
import { overMongod } from '../../over-mongod.js'

const DAY = 86_400
const [orgId, member] = [newId(random, 'org'), newId(random, 'mem')]

overMongod((mongod) => {
  test('the rows of two instances are exported and removed once, and a check of the deployment finds what was changed in it', async () => {
    const url = mongod().url()
    const clock = setClock()
    const start = async (writer: string) => {
      const storage = await openMongo({ url, clock, storeClock: () => clock.now() * 1000, instance: writer, warn: () => undefined })
      openCollections(storage)
      const logSigners = async () => [await newEs256Signer()]
      const trustLog = newTrustLog({ storage, clock, random, log: silentLog, writer, name: 'registry.test', logSigners })
      await trustLog.start()
      const audit = newAudit({ storage, clock, log: silentLog, writer, trustLog })
      await audit.start()
      return { storage, trustLog, audit, random, store: audit.store }
    }
    // One after the other: clients that create one collection at once sometimes end a server that runs under wine (exit code 5)
    const instances = [await start('w1'), await start('w2')]
    const [one, two] = instances
    if (!one || !two) throw new Error('there are two instances')
    const row = { orgId, actor: member, action: 'cards.publish', outcome: 'done' } as const
    await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? two : one).audit.record(row)))
    await Promise.all(instances.map(({ audit }) => audit.close()))
    await anchorLinks(one.store, one.trustLog, clock.now())

    clock.advance(60)
    const exported: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await exportAudit(two.store, new Set([row.action]), { orgId, reader: orgId, limit: 25, cursor, action: row.action })
      exported.push(...page.items.map(({ auditId }) => auditId))
      if (page.cursor === undefined) break
      cursor = page.cursor
    }
    expect([exported.length, new Set(exported).size]).toEqual([60, 60])

    const check = () => checkStore({ config: parseDataConfig({ store: url }, undefined, {}), log: silentLog, onProgress: () => undefined })
    expect(await check()).toMatchObject({ isSound: true, faults: [], checked: { auditRows: 60 } })

    const administrator = { kind: 'member', role: 'administrator', orgId, id: member, dependencies: { handles: [] } } as never // no other field is read
    // The chains of the others are closed
    const newWriter = (writer: string) => newAudit({ storage: one.storage, clock, log: silentLog, writer, trustLog: one.trustLog })
    const setting = newWriter('w3')
    await setting.start()
    await setRetention({ ...one, audit: setting }, administrator, orgId, { days: 30 })
    await setting.close()
    await anchorLinks(one.store, one.trustLog, clock.now())
    clock.advance(100 * DAY)
    await two.trustLog.readBarrier()
    const audit = newWriter('w4')
    await audit.start()
    await Promise.all(instances.map((instance) => removeExpiredRows({ ...instance, audit }, clock.now())))
    expect(await verifyPart(two.store, two.trustLog, undefined)).toMatchObject({ removed: 61, broken: [], brokenAnchors: [] })
    // An entry of today: the check takes the time from the log
    await audit.close()
    await anchorLinks(one.store, one.trustLog, clock.now())
    expect((await check()).faults).toEqual([])

    // Someone changes a link so that a removed row seems to be of another time, and registers a key of theirs
    const link = await one.store.links.get('w1:0')
    await one.store.links.change('w1:0', {}, { removed: link?.removed?.map((removed) => ({ ...removed, createdAt: clock.now() })) })
    const key: RegisteredKey = {
      id: newId(random, 'key'),
      owner: member,
      orgId,
      use: 'client',
      handle: newHandle(random, 'key'),
      jkt: 'x'.repeat(43) as never,
      alg: 'ES256',
      jwk: (await newEs256Signer()).publicJwk as never,
      registeredAt: 0,
      registeredBy: member,
      salt: 'x'.repeat(22),
      grantedBy: [],
      entry: newId(random, 'ent'),
    }
    await one.storage.collection(REGISTERED_KEYS).insert(key)
    const { isSound, faults } = await check()
    expect(isSound).toBe(false)
    expect(faults.map(({ part, where }) => [part, where])).toEqual([
      ['keys', `registered-keys/${key.id}`],
      ['audit', 'link 0 of w1'],
    ])
    for (const { trustLog, storage } of instances) {
      await trustLog.close()
      await storage.close()
    }
    await mongod().drop(url)
  })
})
