// Compares two versions of a public card by meaning, for a caller that has to decide whether it must change something.
//
// Interfaces, skills, extensions and security schemes are matched by what identifies them, so a new order changes nothing. Every member that differs is listed
// once, in the group that says whom it concerns; what only people read is in `prose`. `takesAway` is what an introduction would lose that relies on
// everything in the first version (reliance/reliance.ts).
// Cost: linear in the two cards. They are public; a withdrawn version is refused to others than its publisher.
import { canonical } from '../../../credentials/jose/canonical-json.js'
import type { Caller } from '../../../http/caller.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../lib/json.js'
import { pointerOf } from '../../../lib/json-pointer.js'
import { type CardModel, readCardJson } from '../../../protocol/cards/card-model.js'
import type { CardChange, CardDiff } from '../../../protocol/cards/card-versions.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { GetCardDeps } from '../get.js'
import { type CardDocuments, composeCard } from '../publishing/compose.js'
import { connectionLosses, offerLosses, relianceIn, scopesOf } from '../reliance/reliance.js'
import { requireVersion } from './history.js'

type Group = 'endpoint' | 'security' | 'scopes' | 'skills' | 'other' | 'prose'

interface DiffInput {
  readonly agentId: AgentId
  readonly from: number
  /** Default: the current version. */
  readonly to?: number | undefined
}

/** Says what changes for a caller between two versions of an agent's public card. */
export const diffCards = (deps: GetCardDeps, caller: Caller | undefined, { agentId, from, to }: DiffInput): Promise<CardDiff> =>
  deps.trustLog.afterBarrier(caller?.barrier, async () => {
    const [before, after] = [await requireVersion(deps, caller, agentId, from), await requireVersion(deps, caller, agentId, to)]
    const [relied, current] = [relianceIn(before).public, relianceIn(after).public]
    const changes = differences([], comparable(before), comparable(after))
    const inGroup = (group: Group) => changes.filter(({ path }) => groupOf(path) === group).map(({ path, ...change }) => change)
    return {
      agentId,
      from: before.version,
      to: after.version,
      takesAway: [...connectionLosses(relied, current), ...offerLosses(relied, current)],
      endpoint: inGroup('endpoint'),
      security: inGroup('security'),
      scopes: inGroup('scopes'),
      skills: inGroup('skills'),
      other: inGroup('other'),
      prose: inGroup('prose'),
    }
  })

type Path = readonly string[]

/** Objects are compared member by member, everything else as a whole. */
function differences(path: Path, from: JsonValue | undefined, to: JsonValue | undefined): (CardChange & { readonly path: Path })[] {
  if (isObjectOrAbsent(from) && isObjectOrAbsent(to)) {
    const names = [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])].sort()
    return names.flatMap((name) => differences([...path, name], memberOf(from, name), memberOf(to, name)))
  }
  if (from !== undefined && to !== undefined && canonical(from) === canonical(to)) return []
  return [{ path, pointer: pointerOf(path), ...(from !== undefined && { from }), ...(to !== undefined && { to }) }]
}

const isObjectOrAbsent = (value: JsonValue | undefined): value is JsonObject | undefined => value === undefined || isJsonObject(value)
const memberOf = (object: JsonObject | undefined, name: string): JsonValue | undefined =>
  object && Object.hasOwn(object, name) ? object[name] : undefined

/** The card with objects in place of lists, so that items are compared by their identity. A card that cannot be read has no members. */
function comparable(card: CardDocuments): JsonObject {
  const { model } = readCardJson(composeCard(card, 'public').json)
  if (model === undefined) return {}
  const { supportedInterfaces, securityRequirements, skills, capabilities, defaultInputModes, defaultOutputModes, ...rest } = model
  const plain = {
    ...rest,
    supportedInterfaces: keyedBy(supportedInterfaces, ({ protocolBinding, url }) => `${protocolBinding} ${url}`),
    securityRequirements: setOf(securityRequirements),
    capabilities: { ...capabilities, extensions: keyedBy(capabilities.extensions, ({ uri }) => uri) },
    defaultInputModes: setOf(defaultInputModes),
    defaultOutputModes: setOf(defaultOutputModes),
    skills: keyedBy(skills.map(comparableSkill), ({ id }) => id),
    scopes: keyedBy(scopesOf(model), (scope) => scope),
  }
  return JSON.parse(JSON.stringify(plain)) as JsonObject // without the members that are undefined
}

const comparableSkill = ({ tags, inputModes, outputModes, securityRequirements, ...skill }: CardModel['skills'][number]) => ({
  ...skill,
  tags: setOf(tags),
  inputModes: setOf(inputModes),
  outputModes: setOf(outputModes),
  securityRequirements: setOf(securityRequirements),
})

const keyedBy = <T>(items: readonly T[], keyOf: (item: T) => string): Record<string, T> =>
  Object.fromEntries(items.map((item) => [keyOf(item), item]))

/** The items without repetition, in an order that their content gives. */
const setOf = (items: readonly JsonValue[]): JsonValue[] =>
  [...new Map(items.map((item) => [canonical(item), item]))].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)

const SKILL_PROSE = new Set(['name', 'description', 'tags', 'examples'])

function groupOf([top, second, third, fourth, ...rest]: Path): Group {
  switch (top) {
    case 'supportedInterfaces':
      return 'endpoint'
    case 'securitySchemes':
      // `/securitySchemes/<name>/<kind>/description`, and the text of a scope in `…/scopes/<scope>`
      return (fourth === 'description' && rest.length === 0) || rest.at(-2) === 'scopes' ? 'prose' : 'security'
    case 'securityRequirements':
      return 'security'
    case 'scopes':
      return 'scopes'
    case 'skills':
      return SKILL_PROSE.has(third ?? '') ? 'prose' : 'skills'
    case 'capabilities':
      return second === 'extensions' && fourth === 'description' && rest.length === 0 ? 'prose' : 'other'
    case 'defaultInputModes':
    case 'defaultOutputModes':
      return 'other'
    default:
      return 'prose'
  }
}
