// Generates the published JSON Schemas (folder schemas/) from the zod types that the code parses with. `npm run generate` writes the files.
import { z } from 'zod'
import { CardCredentialClaims } from '../credentials/agent-card/card-credential.js'
import { CardViewClaims } from '../credentials/jose/token-types.js'
import { CardView } from '../protocol/cards/card-view.js'
import { ReleasePolicy } from '../protocol/cards/release-policy.js'
import { AccessTokenClaims } from '../protocol/claims.js'
import { IntroductionPolicy } from '../protocol/introduction-policy.js'
import { KeyStatement } from '../protocol/key-statement.js'
import { Entry } from '../protocol/log/entry.js'
import { ClientMessage, ServerMessage } from '../protocol/log/feed.js'
import { Ceiling } from '../protocol/rights.js'

const SCHEMAS: Readonly<Record<string, { readonly title: string; readonly schema: z.ZodType }>> = {
  'access-token': { title: 'Claims of an access token (typ at+jwt)', schema: AccessTokenClaims },
  'card-credential': { title: "Claims of a card's SD-JWT (typ dc+sd-jwt)", schema: CardCredentialClaims },
  'card-view': { title: 'Agent card as a caller receives it, with the parts of its tier', schema: CardView },
  'card-view-claims': { title: 'Claims of a card view (typ card-view+jwt)', schema: CardViewClaims },
  ceiling: { title: 'Permission ceiling of an agent', schema: Ceiling },
  'introduction-policy': { title: 'Introduction policy of an agent', schema: IntroductionPolicy },
  'key-statement': { title: 'Statement of the registry about a registered key', schema: KeyStatement },
  'feed-client': { title: 'Messages from a subscriber to the revocation feed', schema: ClientMessage },
  'feed-server': { title: 'Messages from the revocation feed to a subscriber', schema: ServerMessage },
  'log-entry': { title: 'Entry of the trust log', schema: Entry },
  'release-policy': { title: 'Claims of a release policy (typ credence-release+jwt)', schema: ReleasePolicy },
}

/** The text of every schema file, by file name. */
export const schemaFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, { title, schema }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', unrepresentable: 'any', io: 'input' })
      return [`${name}.schema.json`, `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`]
    }),
  )
