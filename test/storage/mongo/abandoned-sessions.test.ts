import { MongoClient } from 'mongodb'
import { expect, test } from 'vitest'
import { type Thing, thingsOf } from '../contract/things.js'
import { hasMongod, openMongoStore, startMongod } from '../open-mongo.js'

test.skipIf(!hasMongod)('an abandoned transaction is ended, and a write that it blocks succeeds', async () => {
  await using mongod = await startMongod()
  await using store = await openMongoStore(mongod)
  const things = thingsOf(store.storage)
  await things.insert({ id: 'one', group: 'a' })
  const client = await MongoClient.connect(store.url, { appName: 'credence' })
  const session = client.startSession()
  const raw = client.db().collection<{ _id: string; text: string }>('things')
  try {
    session.startTransaction()
    await raw.updateOne({ _id: 'one' }, { $set: { text: '{}' } }, { session })
    const change = () => things.change('one', {}, { group: 'b' }).catch(() => undefined)
    const changed: Thing = { id: 'one', group: 'b' }
    await expect.poll(change).toEqual(changed)
    await expect(session.commitTransaction()).rejects.toThrow()
    expect(await things.get('one')).toEqual(changed)
  } finally {
    await session.endSession()
    await client.close()
  }
})
