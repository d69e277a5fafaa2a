import { expect, test } from 'vitest'
import { type Actor, startRegistry } from '../../registry.js'

interface OrganisationPage {
  readonly items: readonly { readonly orgId: string }[]
  readonly cursor?: string
}

async function idsOf(actor: Actor, limit: number): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page: OrganisationPage = await actor.query('organisations.list', { limit, ...(cursor && { cursor }) })
    expect(page.items.length).toBeLessThanOrEqual(limit)
    ids.push(...page.items.map(({ orgId }) => orgId))
    cursor = page.cursor
  }
  return ids
}

test('an operator lists every organisation, that of the operators first, with any size of a page; a member lists its own', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const tenants = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  const all = [registry.operator, ...tenants].map(({ orgId }) => orgId)
  for (const limit of [1, 2, 3, 100]) {
    const listed = await idsOf(registry.operator, limit)
    expect(listed[0]).toBe(registry.operator.orgId)
    expect([...listed].sort()).toEqual([...all].sort())
  }
  for (const tenant of tenants) expect(await idsOf(tenant, 1)).toEqual([tenant.orgId])
})
