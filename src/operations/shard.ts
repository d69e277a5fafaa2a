import { shardCommands } from '../storage/mongo/admin/shard-commands.js'
import { COLLECTIONS } from './collections.js'

/** Returns the mongosh commands that shard a deployment, without running them. */
export const shardDeployment = (url: string): readonly string[] => shardCommands(url, COLLECTIONS)
