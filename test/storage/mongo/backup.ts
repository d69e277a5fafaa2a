import { type Db, MongoClient } from 'mongodb'

/** Copies the documents of a database into memory, like `mongodump`. `restore` replaces the present ones. */
export async function backUp(url: string): Promise<{ restore(): Promise<void> }> {
  const namesOf = async (db: Db) => (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)
  const saved = await withDatabase(url, async (db) => {
    const names = await namesOf(db)
    return new Map(await Promise.all(names.map(async (name) => [name, await db.collection(name).find().toArray()] as const)))
  })
  return {
    restore: () =>
      withDatabase(url, async (db) => {
        for (const name of await namesOf(db)) {
          await db.collection(name).deleteMany({})
          const documents = saved.get(name) ?? []
          if (documents.length > 0) await db.collection(name).insertMany(documents)
        }
      }),
  }
}

/** Connects directly to the database, without the adapter. */
export async function withDatabase<T>(url: string, work: (db: Db) => Promise<T>): Promise<T> {
  const client = await MongoClient.connect(url)
  try {
    return await work(client.db())
  } finally {
    await client.close()
  }
}
