// Restores a backup of a MongoDB deployment that is older than some revocations, as test/stories/restore.test.ts does with a file.
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { fetchRegistryKeys, newLogCopy } from '../../../../src/client/index.js'
import { restoreStore } from '../../../../src/operations/restore/restore.js'
import { parseConfig } from '../../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../../src/server/main.js'
import { mirrorFile } from '../../../../src/trust-log/recovery/mirror-file.js'
import { freePort } from '../../../free-port.mjs'
import { type Actor, type AgentActor, aCard, type Cast, newCast } from '../../../registry.js'
import { introduce, reasonOf } from '../../../stories/actors.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { backUp, withDatabase } from '../backup.js'

overMongod((mongod) => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let url: string
  let config: ReturnType<typeof parseConfig>
  let backup: Awaited<ReturnType<typeof backUp>>
  let running: Served[] = []
  let cast: Cast
  let acme: Actor
  let ocr: AgentActor
  let planner: AgentActor
  const file = (name: string) => join(folder.path, name)
  const start = async () => {
    const registry = await serve(config)
    running.push(registry)
    return registry
  }
  const stop = async () => {
    await Promise.all(running.map((one) => one.close()))
    running = []
  }
  const mirror = async () => {
    const mirrored = mirrorFile(file('mirror.jsonl'))
    const { issuer } = acme
    await newLogCopy(mirrored.read()).catchUp({ issuer, keys: await fetchRegistryKeys(issuer, 'log') }, mirrored.append)
  }

  const makeBackup = async () => {
    folder = await tempFolder()
    url = await mongod().lease()
    const flags = {
      dev: true,
      store: url,
      dataDirectory: file('data'),
      port: await freePort(),
      adminPort: 0,
      graceSeconds: 0,
      logLevel: 'silent',
    }
    config = parseConfig(flags, undefined, {})
    const { issuer, firstCode = '' } = await start()
    cast = await newCast({ issuer, firstCode })
    acme = await cast.organisation('Acme')
    ocr = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer }) })
    planner = await cast.agent({
      registeredBy: acme,
      name: 'planner',
      ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] },
    })
    await introduce(planner, ocr)
    await stop()
    backup = await backUp(url)
    await cp(file('data'), file('data-of-backup'), { recursive: true })
  }
  const discard = async () => {
    await stop()
    await mongod().release(url)
    await folder[Symbol.asyncDispose]()
  }
  // Retried once: on a busy machine a barrier read may take longer than 250 ms
  beforeAll(() => makeBackup().catch(() => discard().then(makeBackup)))
  afterAll(discard)
  beforeEach(async () => {
    await backup.restore()
    for (const name of ['data', 'mirror.jsonl']) await rm(file(name), { recursive: true, force: true })
    await cp(file('data-of-backup'), file('data'), { recursive: true })
    await start()
  })
  afterEach(stop)

  test('a restore is refused while an instance runs, and succeeds right after all were stopped', async () => {
    await expect(restoreStore(config, undefined)).rejects.toThrow('1 instance uses this store')
    await stop()
    expect(await restoreStore(config, undefined)).toMatchObject({ reachesWitness: true, quarantined: 0 })
  })

  test('a restored backup is not served until `admin restore` ran with a mirror: then revoked agents stay revoked, and others keep working', async () => {
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await mirror()
    await stop()
    await backup.restore()
    await expect(start()).rejects.toThrow(/is behind its witness .*credence admin restore/)
    expect(await restoreStore(config, file('mirror.jsonl'))).toMatchObject({ reachesWitness: true, replayed: 1, quarantined: 0 })
    expect((await start()).firstCode).toBeUndefined()
    expect(await reasonOf(acme.query('agents.get', { agentId: ocr.agentId }))).toBe('done')
    expect(await reasonOf(cast.as(planner).token())).toBe('invalid_client')
    expect(await reasonOf(cast.as(ocr).token())).toBe('done')
  })

  test('without a mirror all lasting items are quarantined', async () => {
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await stop()
    await backup.restore()
    await expect(restoreStore(config, undefined)).rejects.toThrow('there is no mirror. Nothing was written')
    const restored = await restoreStore(config, undefined, { mayQuarantine: true })
    expect(restored).toMatchObject({ reachesWitness: false, replayed: 0 })
    expect(restored.quarantined).toBeGreaterThan(6)
    const { issuer, firstCode = '' } = await start()
    for (const actor of [cast.operator, acme, ocr, planner]) expect(await reasonOf(cast.as(actor).token())).toBe('invalid_client')
    expect((await newCast({ issuer, firstCode })).operator.orgId).toBeDefined()
  })

  test('a restore of an empty database is refused and creates nothing', async () => {
    const empty = mongod().url()
    await expect(restoreStore({ ...config, store: empty }, undefined)).rejects.toThrow('there is nothing to restore')
    expect(await withDatabase(empty, (db) => db.listCollections().toArray())).toEqual([])
  })
})
