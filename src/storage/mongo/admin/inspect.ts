import { SCHEMA_VERSION, schemaVersionOf } from '../schema-version.js'
import { connect } from '../session/connect.js'
import { databaseOf } from '../url.js'

export interface Inspection {
  /** The release of MongoDB. */
  readonly server: string
  /** Undefined if no registry has used the database. */
  readonly schemaVersion: number | undefined
  /** The schema version of this release. */
  readonly supportedVersion: number
  /** The clock of the primary, in milliseconds since 1970 UTC. */
  readonly clockMs: number
  /** The release to upgrade to, if this one has published vulnerabilities. */
  readonly upgradeTo: string | undefined
}

/** Reads what `credence doctor` reports about a deployment. Writes nothing, and refuses what a registry would refuse. */
export async function inspectMongo(url: string): Promise<Inspection> {
  let upgradeTo: string | undefined
  const client = await connect({
    url,
    warn: (_, fields) => {
      upgradeTo = String(fields?.upgradeTo)
    },
  })
  try {
    const db = client.db(databaseOf(url))
    const schemaVersion = await schemaVersionOf(db)
    const { version } = await db.command({ buildInfo: 1 })
    const { localTime } = await db.command({ hello: 1 })
    return { server: String(version), schemaVersion, supportedVersion: SCHEMA_VERSION, clockMs: new Date(localTime).getTime(), upgradeTo }
  } finally {
    await client.close()
  }
}
