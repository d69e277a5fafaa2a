import { expect, test } from 'vitest'
import { CARDS } from '../../../../src/registry/cards/store.js'
import { aCard, startRegistry } from '../../../registry.js'
import { aPair, reasonOf } from '../../../stories/actors.js'

test('an unpublishing beside a yank ends the connection that the yank began, and a second one is refused', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const { ocr, planner, introductionId } = await aPair(registry)
  await ocr.publish({ card: aCard(registry, { version: '2' }) })
  const [prompt] = registry.servers
  const connection = async () => (await registry.storage.collection(CARDS).get(ocr.agentId))?.versions.connection
  const before = await connection()
  let yanked: string | undefined
  const slow = await registry.addServer(async (name, work, operations) => {
    const isOfCard = operations?.some((one) => 'collection' in one && one.collection === 'cards')
    if (name === 'log.append' && isOfCard && yanked === undefined) {
      yanked = 'started'
      registry.front.route([prompt?.port ?? 0])
      yanked = await reasonOf(ocr.yank({ version: 1 }))
    }
    return work()
  })
  registry.front.route([slow.port])
  expect(await reasonOf(ocr.mutate('cards.unpublish', { agentId: ocr.agentId }))).toBe('done')
  expect(yanked).toBe('done')
  const current = await connection()
  expect(current).not.toBe(before)
  const blocks = await registry.storage.log.read(0, 1000)
  const ended = blocks.flatMap(({ entries }) => entries.flatMap(({ ends }) => ends.map(({ handle }) => handle)))
  expect(ended).toContain(current)
  expect((await planner.introductions.get(introductionId)).state).toBe('needsApproval')
  expect(await reasonOf(ocr.mutate('cards.unpublish', { agentId: ocr.agentId }))).toBe('not_found')
})
