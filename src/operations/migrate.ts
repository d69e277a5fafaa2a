import { systemClock } from '../lib/clock.js'
import { allSchemas, type MigrateOptions, type Migration, migrateMongo } from '../storage/mongo/admin/migrate.js'
import type { MigrationStep } from '../storage/mongo/admin/migration-plan.js'
import { shardCommands } from '../storage/mongo/admin/shard-commands.js'
import { COLLECTIONS } from './collections.js'

export type { MigrationStep }

/** Plans the changes that bring a MongoDB deployment to the schema version of this build. Runs them if `apply` is set. */
export const migrateDeployment = (options: Omit<MigrateOptions, 'clock' | 'specs'>): Promise<Migration> =>
  migrateMongo({ ...options, clock: systemClock, specs: COLLECTIONS })

/** Returns the mongosh commands that shard a deployment, without running them. */
export const shardDeployment = (url: string): readonly string[] => shardCommands(url, allSchemas(COLLECTIONS))
