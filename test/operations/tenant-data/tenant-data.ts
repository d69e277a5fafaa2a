// Tests of `credence admin export` and `erase`, for any store.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { proveKey } from '../../../src/credentials/jose/sign.js'
import { KEY_SLOTS, KeySlot } from '../../../src/identity/keys/store.js'
import { systemClock } from '../../../src/lib/clock.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { COLLECTIONS, openCollections } from '../../../src/operations/collections.js'
import { eraseTenantData, exportTenantData } from '../../../src/operations/tenant-data/command.js'
import { parseConfig } from '../../../src/server/config.js'
import { serve } from '../../../src/server/main.js'
import { openStore } from '../../../src/server/open-store.js'
import { CONSUMED_IDS } from '../../../src/storage/replay-cache.js'
import { freePort } from '../../free-port.mjs'
import { aCard, newCast } from '../../registry.js'
import { tempFolder } from '../../storage/open-store.js'
import { introduce, reasonOf } from '../../stories/actors.js'

export function tenantDataTests(newStore: () => Promise<{ readonly url: string; release(): Promise<void> } | undefined>): void {
  test('the data of an organisation can be exported, and erased once it is revoked; no trace remains, and other organisations keep their data', async () => {
    await using folder = await tempFolder()
    const store = await newStore()
    const own = { ...(store && { store: store.url }), dataDirectory: folder.path, port: await freePort() }
    const config = parseConfig({ ...own, dev: true, adminPort: 0, graceSeconds: 0, logLevel: 'silent' }, undefined, {})
    const first = await serve(config)
    const { issuer, firstCode = '' } = first
    const cast = await newCast({ issuer, firstCode })
    const [acme, globex] = [await cast.organisation('Acme'), await cast.organisation('Globex')]
    const ocr = await cast.agent({ registeredBy: acme, name: 'ocelot-agent', introductionPolicy: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer }) })
    const former = await cast.agent({ registeredBy: acme, name: 'former-agent' })
    for (const version of ['1', '2']) await former.publish({ card: aCard({ issuer }, { name: 'Former OCR', version }) })
    await acme.mutate('agents.revoke', { agentId: former.agentId })
    const right = (audience: string) => ({ audience, scope: 'ocr:read' })
    const other = await cast.agent({ registeredBy: globex, name: 'globex-agent', introductionPolicy: { mode: 'open' } })
    await other.publish({ card: aCard({ issuer }, { name: 'Globex OCR' }) })
    const planner = await cast.agent({
      registeredBy: globex,
      name: 'planner',
      ceiling: { rights: [right(ocr.audience), right(other.audience)] },
    })
    const asker = await cast.agent({ registeredBy: acme, name: 'asker', ceiling: { rights: [right(other.audience)] } })
    await introduce(planner, ocr)
    await introduce(planner, other)
    await asker.introductions.request({ to: other.agentId, purpose: "acme's purpose", scopes: ['ocr:read'] })
    // Acme asks for a capability that Globex has without showing it, and the other way round
    const capabilityOf = (owner: string) => `hidden-at-${owner}`
    const hiding = (owner: string, name: string) => ({
      card: aCard(
        { issuer },
        { name, skills: ['read-page', capabilityOf(owner)].map((id) => ({ id, name: id, description: id, tags: [] })) },
      ),
      hide: ['/skills/1'],
    })
    await ocr.publish(hiding('acme', 'Ocelot OCR'))
    await other.publish(hiding('globex', 'Globex OCR'))
    await asker.introductions.request({ capability: capabilityOf('globex'), purpose: "acme's secret need", scopes: ['ocr:read'] })
    await planner.introductions.request({ capability: capabilityOf('acme'), purpose: "globex's need", scopes: ['ocr:read'] })
    const askedOf = async (agent: typeof ocr) =>
      (await agent.introductions.inbox()).items.filter(({ capability }) => capability !== undefined)
    await expect.poll(async () => [(await askedOf(ocr)).length, (await askedOf(other)).length]).toEqual([1, 1])
    await acme.mutate('members.invite', { orgId: acme.orgId, role: 'member' })
    const callOf = async (audience: string) => {
      const { taskId } = await planner.tasks.create({ description: 'read' })
      return planner.exchange({ audience: audience as never, taskId })
    }
    const [toAcme, toGlobex] = [await callOf(ocr.audience), await callOf(other.audience)]
    const { items } = await acme.query<{ items: { keyId: string; jkt: string }[] }>('keys.list', { owner: former.agentId })
    await acme.mutate('keys.compromise', { keyId: items[0]?.keyId, since: 0 })
    const { items: ofAsker } = await acme.query<{ items: { keyId: string; jkt: string }[] }>('keys.list', { owner: asker.agentId })
    const jkts = [...items, ...ofAsker].map(({ jkt }) => jkt)
    await first.close()
    // An earlier release banned a key by a slot
    const earlier = await openStore(config, silentLog)
    const { keyId, handle, owner } = (await earlier.collection(KEY_SLOTS).get(`${asker.agentId} ${jkts[1]}`)) ?? {}
    await earlier.collection(KEY_SLOTS).insert(KeySlot.parse({ id: `compromised ${jkts[1]}`, keyId, handle, owner }))
    await earlier.close()

    const file = join(folder.path, 'acme.jsonl')
    // A file of another program
    writeFileSync(`${file}.part`, '{"export"'.repeat(10_000))
    const exported = await exportTenantData({ config, org: acme.orgId, to: file })
    expect(readdirSync(folder.path).filter((name) => /\.part(ial)?$/.test(name))).toEqual(['acme.jsonl.part'])
    await expect(exportTenantData({ config, org: acme.orgId, to: file })).rejects.toMatchObject({ reason: 'conflict' })
    const exportedText = readFileSync(file, 'utf8')
    const lines = exportedText
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ export: 'credence', orgId: acme.orgId, isRevoked: false })
    expect(lines.at(-1)).toEqual(exported)
    expect(exported).toMatchObject({ documents: { agents: 3, cards: 1, introductions: 2, invitations: 1, members: 1, organisations: 1 } })
    for (const text of ['Acme', 'ocelot-agent', 'Ocelot OCR', "acme's purpose", 'agents.register']) expect(exportedText).toContain(text)
    expect(exported).toMatchObject({ documents: { 'earlier-card-versions': 1, 'capability-requests': 1, 'capability-asks': 1 } })
    // Acme's own request, without a trace of the agent that was asked; and what Globex asked of Acme
    const ofNeed = lines.filter((line) => JSON.stringify(line).includes("acme's secret need"))
    expect(ofNeed.map(({ collection }) => collection)).toEqual(['capability-requests'])
    expect(lines.filter((line) => JSON.stringify(line).includes("globex's need")).map(({ collection }) => collection)).toContain(
      'capability-asks',
    )
    for (const text of ['codeHash', 'tokenHash', 'globex-agent', '"d":', 'Former OCR']) expect(exportedText).not.toContain(text)
    await expect(eraseTenantData({ config, org: acme.orgId })).rejects.toThrow('the organisation is not revoked')
    const unknown = { config, org: 'org_AAAAAAAAAAAAAAAAAAAAAA' }
    await expect(eraseTenantData(unknown)).rejects.toThrow('no organisation')
    const nothing = join(folder.path, 'nothing.jsonl')
    await expect(exportTenantData({ ...unknown, to: nothing })).rejects.toThrow('no organisation')
    expect([existsSync(nothing), readdirSync(folder.path).some((name) => name.endsWith('.partial'))]).toEqual([false, false])

    const second = await serve(config)
    await cast.operator.mutate('organisations.revoke', { orgId: acme.orgId })
    await second.close()
    const erased = await eraseTenantData({ config, org: acme.orgId })
    expect(erased).toMatchObject({
      erased: { agents: 3, cards: 2, 'earlier-card-versions': 2, members: 1, invitations: 1 },
      cleared: { introductions: 1, organisations: 1 },
    })
    expect(erased.erased.tokens).toBeGreaterThan(0)
    expect(erased.retained['audit-rows']).toBeGreaterThan(5)
    expect((await eraseTenantData({ config, org: acme.orgId })).erased).toEqual({})

    const storage = await openStore(config, silentLog)
    openCollections(storage)
    const texts: string[] = []
    // Keys that detect a replay name a thumbprint for a minute
    for (const spec of COLLECTIONS.filter(({ name }) => name !== CONSUMED_IDS.name))
      for (const document of await storage.bulk.documents(spec, { limit: 10_000, now: 0 })) texts.push(document.text)
    await storage.close()
    for (const erasedText of ['Acme', 'ocelot-agent', 'Ocelot OCR', 'Former OCR', "acme's purpose", "acme's secret need", ...jkts])
      expect(texts.filter((text) => text.includes(erasedText))).toEqual([])

    const third = await serve(config)
    expect((await planner.search({ text: 'scanned' })).hits.map(({ agentId }) => agentId)).toEqual([other.agentId])
    expect(await other.introspect(toGlobex.accessToken)).toMatchObject({ active: true })
    expect(await reasonOf(callOf(other.audience))).toBe('done')
    expect(await reasonOf(callOf(ocr.audience))).toBe('invalid_target')
    for (const { signer } of [former, asker]) {
      const proof = await proveKey({ signer, clock: systemClock, random: systemRandom }, { issuer, owner: other.agentId })
      const input = { owner: other.agentId, use: 'client', jwk: signer.publicJwk, proof }
      expect(await reasonOf(globex.mutate('keys.register', input))).toBe('key_revoked')
    }
    expect(await reasonOf(cast.as(ocr).token())).toBe('invalid_client')
    expect(await other.introspect(toAcme.accessToken)).toEqual({ active: false })
    expect(await cast.operator.query('organisations.get', { orgId: acme.orgId })).toMatchObject({ name: '(erased)', state: 'revoked' })
    await third.close()
    await store?.release()
  })
}
