// What `credence admin` does to the form of a MongoDB deployment.

import { systemClock } from '../lib/clock.js'
import { declaredBy, type MigrateOptions, type Migration, migrateMongo } from '../storage/mongo/admin/migrate.js'
import type { Step } from '../storage/mongo/admin/migration-plan.js'
import { shardCommands } from '../storage/mongo/admin/shard-commands.js'
import { registryCollections } from './collections.js'

export type { Migration, Step }

/** What the deployment lacks of what this build declares; done where `apply` says so. */
export const migrateDeployment = (options: Omit<MigrateOptions, 'clock' | 'specs'>): Promise<Migration> =>
  migrateMongo({ ...options, clock: systemClock, specs: registryCollections() })

/** Commands of the MongoDB shell that spread the deployment over shards. */
export const shardDeployment = (url: string): readonly string[] => shardCommands(url, declaredBy(registryCollections()))
