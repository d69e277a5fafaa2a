import { z } from 'zod'
import { CardCredentialClaims, cardType } from '../../../credentials/agent-card/card-credential.js'

/**
 * Type metadata of a card's SD-JWT VC. A claim can be a disclosure only if it is an element of one of the two lists, or another part of the card that
 * is not listed here.
 *
 * @see SD-JWT VC (draft-ietf-oauth-sd-jwt-vc-26) §5.2 format, §5.6 claims
 */
export const typeMetadata = (issuer: string) => ({
  vct: cardType(issuer),
  name: 'A2A Agent Card',
  description: 'An A2A Agent Card whose non-public parts are disclosed to entitled callers only.',
  claims: [
    ...Object.entries(CardCredentialClaims.shape).map(([name, schema]) => ({
      path: [name],
      mandatory: !(schema instanceof z.ZodOptional),
      sd: 'never',
    })),
    ...['name', 'description', 'version', 'capabilities'].map((name) => ({ path: ['agent_card', name], mandatory: true, sd: 'never' })),
    ...['supportedInterfaces', 'skills'].flatMap((list) => [
      { path: ['agent_card', list], mandatory: true, sd: 'never' },
      { path: ['agent_card', list, null], sd: 'allowed' },
    ]),
  ],
})
