import { expect, test } from 'vitest'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { eventually } from '../../eventually.js'
import { setClock } from '../../set-clock.js'
import { overMongod } from '../over-mongod.js'

overMongod((mongod) => {
  test('an instance counts itself and the others, and no longer one that was closed', async () => {
    const url = await mongod().lease()
    const open = (instance: string) => openMongo({ url, clock: setClock(), instance, warn: () => undefined })
    const [one, two] = [await open('one'), await open('two')]
    // Instances renew their leases when they read the log, once a second
    const seesLive = (count: number) =>
      eventually(async () => {
        await one.log.head()
        expect(one.liveInstances?.()).toBe(count)
      })
    await seesLive(1)
    await two.log.head()
    expect(two.liveInstances?.()).toBe(2)
    await seesLive(2)
    await two.close()
    await seesLive(1)
    await one.close()
    await mongod().release(url)
  })
})
