// What `credence admin` does to the form of a MongoDB deployment.
import { registryCollections } from './move/collections.js'
import { type Migration, migrateMongo } from './storage/mongo/migrate.js'
import type { Step } from './storage/mongo/plan.js'

export type { Migration, Step }

/** What the deployment lacks of what this build declares; done where `apply` says so. */
export const migrateDeployment = (options: {
  readonly url: string
  readonly apply: boolean
  readonly finish: boolean
  readonly onStep: (step: Step) => void
}): Promise<Migration> => migrateMongo({ ...options, specs: registryCollections() })
