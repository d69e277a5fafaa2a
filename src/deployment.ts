// What `credence admin` does to the form of a MongoDB deployment.
import { registryCollections } from './holdings/registry-collections.js'
import { declaredBy, type Migration, migrateMongo } from './storage/mongo/migrate.js'
import type { Step } from './storage/mongo/plan.js'
import { shardCommands } from './storage/mongo/shard.js'

export type { Migration, Step }

/** What the deployment lacks of what this build declares; done where `apply` says so. */
export const migrateDeployment = (options: {
  readonly url: string
  readonly apply: boolean
  readonly finish: boolean
  readonly onStep: (step: Step) => void
}): Promise<Migration> => migrateMongo({ ...options, specs: registryCollections() })

/** Commands of the MongoDB shell that spread the deployment over shards. */
export const shardDeployment = (url: string): readonly string[] => shardCommands(url, declaredBy(registryCollections()))
