import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/lib/json.js'

/** What a card says about its scopes, by scope. The words are the publisher's. */
export function wordsOfScopes(card: JsonObject): ReadonlyMap<string, string> {
  const schemes = membersOf(card.securitySchemes)
  const flows = schemes.flatMap((scheme) => [
    ...membersOf(memberOf(memberOf(scheme, 'oauth2SecurityScheme'), 'flows')),
    // A2A 0.3
    ...membersOf(memberOf(scheme, 'flows')),
  ])
  const words = flows.flatMap((flow) => {
    const scopes = memberOf(flow, 'scopes')
    return isJsonObject(scopes) ? Object.entries(scopes) : []
  })
  return new Map(words.flatMap(([scope, text]) => (typeof text === 'string' ? [[scope, text] as const] : [])))
}

const membersOf = (value: JsonValue | undefined): readonly JsonValue[] => (isJsonObject(value) ? Object.values(value) : [])
const memberOf = (value: JsonValue | undefined, name: string): JsonValue | undefined =>
  isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
