// Writes a card in the form of A2A 0.3, for readers that know no later one. Signatures cover the original card, so this form has none.
import type { JsonObject } from '../../lib/json.js'
import type { CardModel } from './card-model.js'

/** True for the value of an `A2A-Version` header that asks for the form of 0.3. */
export const isVersion03 = (header: string): boolean => /^0\.3(\.\d{1,3})?$/.test(header.trim())

/**
 * The card in the form of A2A 0.3. It names the interfaces that speak 0.3. If there is none, it names all, and `protocolVersion` says what
 * the first one speaks. What 0.3 does not have is left out: device code flows, PKCE and tenants.
 */
export function downgradeCard(card: CardModel): JsonObject {
  const speaking = card.supportedInterfaces.filter(({ protocolVersion }) => isVersion03(protocolVersion))
  const [first, ...others] = speaking.length > 0 ? speaking : card.supportedInterfaces
  const { extendedAgentCard, extensions, ...capabilities } = card.capabilities
  return JSON.parse(
    JSON.stringify({
      protocolVersion: first?.protocolVersion,
      name: card.name,
      description: card.description,
      url: first?.url,
      preferredTransport: first?.protocolBinding,
      additionalInterfaces: unlessEmpty(others.map(({ url, protocolBinding }) => ({ url, transport: protocolBinding }))),
      provider: card.provider,
      version: card.version,
      documentationUrl: card.documentationUrl,
      iconUrl: card.iconUrl,
      capabilities: { ...capabilities, extensions: unlessEmpty(extensions) },
      securitySchemes: Object.fromEntries(Object.entries(card.securitySchemes).map(([name, scheme]) => [name, downgradeScheme(scheme)])),
      security: unlessEmpty(card.securityRequirements.map(downgradeRequirement)),
      defaultInputModes: card.defaultInputModes,
      defaultOutputModes: card.defaultOutputModes,
      skills: card.skills.map(({ securityRequirements, examples, inputModes, outputModes, ...skill }) => ({
        ...skill,
        examples: unlessEmpty(examples),
        inputModes: unlessEmpty(inputModes),
        outputModes: unlessEmpty(outputModes),
        security: unlessEmpty(securityRequirements.map(downgradeRequirement)),
      })),
      supportsAuthenticatedExtendedCard: extendedAgentCard,
    }),
  ) as JsonObject // without the members that are undefined
}

const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)

/** `{ schemes: { oauth: { list: ['read'] } } }` → `{ oauth: ['read'] }`. */
const downgradeRequirement = ({ schemes }: CardModel['securityRequirements'][number]): Record<string, string[]> =>
  Object.fromEntries(Object.entries(schemes).map(([name, { list }]) => [name, list]))

/** `{ httpAuthSecurityScheme: { scheme: 'bearer' } }` → `{ type: 'http', scheme: 'bearer' }`. */
function downgradeScheme(scheme: CardModel['securitySchemes'][string]): object {
  const { apiKeySecurityScheme, httpAuthSecurityScheme, oauth2SecurityScheme, openIdConnectSecurityScheme, mtlsSecurityScheme } = scheme
  if (apiKeySecurityScheme) {
    const { location, ...rest } = apiKeySecurityScheme
    return { type: 'apiKey', in: location, ...rest }
  }
  if (httpAuthSecurityScheme) return { type: 'http', ...httpAuthSecurityScheme }
  if (oauth2SecurityScheme) {
    const { deviceCode: _, ...flows } = oauth2SecurityScheme.flows
    const downgraded = Object.entries(flows).map(([name, flow]) => [name, { ...flow, pkceRequired: undefined }])
    return { type: 'oauth2', ...oauth2SecurityScheme, flows: Object.fromEntries(downgraded) }
  }
  if (openIdConnectSecurityScheme) return { type: 'openIdConnect', ...openIdConnectSecurityScheme }
  return { type: 'mutualTLS', ...mtlsSecurityScheme }
}
