import { type Document, MongoClient } from 'mongodb'

/** Copies a database into memory, like `mongodump`. `restore` works like `mongorestore --drop`. */
export async function backUp(url: string): Promise<{ restore(): Promise<void> }> {
  const saved = await withDatabase(url, async (db) => {
    const collections = await db.listCollections({}, { nameOnly: false }).toArray()
    return Promise.all(
      collections.map(async ({ name, options }) => ({
        name,
        options: options as Document,
        indexes: (await db.collection(name).indexes()).filter((index) => index.name !== '_id_'),
        documents: await db.collection(name).find().toArray(),
      })),
    )
  })
  return {
    restore: () =>
      withDatabase(url, async (db) => {
        await db.dropDatabase()
        for (const { name, options, indexes, documents } of saved) {
          const collection = await db.createCollection(name, options)
          if (documents.length > 0) await collection.insertMany(documents)
          if (indexes.length > 0)
            await collection.createIndexes(indexes.map(({ v, ...index }) => index as typeof index & { key: Document }))
        }
      }),
  }
}

/** Connects directly to the database, without the adapter. */
export async function withDatabase<T>(url: string, work: (db: ReturnType<MongoClient['db']>) => Promise<T>): Promise<T> {
  const client = await MongoClient.connect(url)
  try {
    return await work(client.db())
  } finally {
    await client.close()
  }
}
