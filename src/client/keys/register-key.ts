import { proveKey, type Signer } from '../../credentials/jose/sign.js'
import { type Clock, clientClock } from '../../lib/clock.js'
import { isJsonObject } from '../../lib/json.js'
import { systemRandom } from '../../lib/random.js'
import type { AgentId, ClientId, Jkt, MemberId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { errorOf, type Fetch, requestJson } from '../http.js'
import { fetchMetadata, issuerOf } from '../registry.js'

interface RegistrationOptions {
  readonly issuer: string
  /** Signs with the new key. The private key is not sent. */
  readonly signer: Signer
  readonly clock?: Clock
  readonly fetch?: Fetch
}

interface JoinOptions extends RegistrationOptions {
  readonly code: string
  readonly name: string
}

type RedeemOptions = Omit<JoinOptions, 'name'>

interface ConfirmOptions extends RegistrationOptions {
  readonly agentId: string
  readonly registrationToken: string
}

const REGISTRATION_OPTIONS: OptionNames<RegistrationOptions> = { issuer: true, signer: true, clock: true, fetch: true }
const JOIN_OPTIONS: OptionNames<JoinOptions> = { ...REGISTRATION_OPTIONS, code: true, name: true }
const REDEEM_OPTIONS: OptionNames<RedeemOptions> = { ...REGISTRATION_OPTIONS, code: true }
/** The other members of a response of `agents.register`, which callers may spread into the options. */
interface Registered {
  audience?: unknown
  cardBaseUrl?: unknown
  allowedScopes?: unknown
  expiresAt?: unknown
}
const CONFIRM_OPTIONS: OptionNames<ConfirmOptions & Registered> = {
  ...REGISTRATION_OPTIONS,
  agentId: true,
  registrationToken: true,
  audience: true,
  cardBaseUrl: true,
  allowedScopes: true,
  expiresAt: true,
}

/** Redeems an invitation code, or the first code of a new registry. The caller becomes a member with this key. */
export async function joinRegistry(
  options: JoinOptions,
): Promise<{ memberId: MemberId; orgId: OrgId; role: string; keyId: RegisteredKeyId }> {
  requireOptions('joinRegistry', options, JOIN_OPTIONS)
  const [invitation = ''] = options.code.split('.')
  return register(options, invitation, 'members.join', { code: options.code, name: options.name })
}

/** Confirms an agent's registration with its own key. The agent becomes active. */
export async function confirmAgent(
  options: ConfirmOptions,
): Promise<{ agentId: AgentId; state: 'active'; keyId: RegisteredKeyId; jkt: Jkt }> {
  requireOptions<ConfirmOptions & Registered>('confirmAgent', options, CONFIRM_OPTIONS)
  const { agentId, registrationToken } = options
  return register(options, agentId, 'agents.confirm', { agentId, registrationToken })
}

/** Redeems a one-time code of `credence key code`: the client registers this key, on a second machine or after it lost its key. */
export async function redeemKeyCode(
  options: RedeemOptions,
): Promise<{ clientId: ClientId; keyId: RegisteredKeyId; jkt: Jkt; revokedCount: number }> {
  requireOptions('redeemKeyCode', options, REDEEM_OPTIONS)
  const [codeId = ''] = options.code.split('.')
  return register(options, codeId, 'keys.redeemCode', { code: options.code })
}

async function register<T>(
  { issuer: given, signer, clock = clientClock, fetch = globalThis.fetch }: RegistrationOptions,
  owner: string,
  path: string,
  input: object,
): Promise<T> {
  // The proof must name the issuer URL as the registry's metadata spells it.
  const { issuer } = await fetchMetadata({ fetch, clock }, issuerOf(given))
  const proof = await proveKey({ signer, clock, random: systemRandom }, { issuer, owner })
  const { response, body } = await requestJson({ fetch, clock }, `${issuer}/trpc/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...input, jwk: signer.publicJwk, proof }),
  })
  const { result } = body
  if (!response.ok || !isJsonObject(result)) throw errorOf(response, body)
  return result.data as T // the callers name the type of the procedure's output
}
