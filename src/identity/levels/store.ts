import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { OrgId } from '../../protocol/ids.js'
import { Ceiling } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** The name of a scope level. */
export const LevelName = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'not 1 to 64 of the characters A-Z a-z 0-9 . _ -')

/** A scope level: a named ceiling of an organisation, within which the agents that name it stay. */
const Level = z.strictObject({
  /** `<organisation> <name>`. */
  id: z.string().max(100),
  orgId: OrgId,
  name: LevelName,
  ceiling: Ceiling,
  /** Version of the ceiling, a handle of kind `ver:`. */
  ver: Handle,
  /** Changes each time that an agent begins to use the level, so that it is not removed at the same time. */
  usedBy: z.string().max(26).optional(),
  changedAt: z.int().min(0),
})
export type Level = z.infer<typeof Level>

export type LevelsStore = Collection<Level>

export const LEVELS: OwnedSpec<Level> = {
  name: 'scope-levels',
  schema: Level,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'name'] } },
  ownedBy: ['orgId'],
}

export const levelsStore = ({ storage }: { readonly storage: Storage }): LevelsStore => storage.collection(LEVELS)
