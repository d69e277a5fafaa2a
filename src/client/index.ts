export { type RegistryPins, type VerifiedCard, verifyCardViewBundle } from '../credentials/agent-card/card-view.js'
export { logOrigin } from '../credentials/checkpoint.js'
export { newEs256Signer, newPageSigner, newPrivateJwk, proveDpop, type Signer, signerFromJwk } from '../credentials/jose/sign.js'
export { type AccessRequest, CredenceError } from '../errors.js'
export type { CardDiff, CardVersion } from '../protocol/cards/card-versions.js'
export type { RevocationReason } from '../protocol/end-reason.js'
export type { Hit, SearchOptions, SearchResult } from '../protocol/search.js'
export { type Agent, type AgentOptions, createAgent } from './agent.js'
export type { Approval } from './approvals/approval.js'
export type { Approvals } from './approvals/approvals.js'
export type { Cards, DeprecateOptions, PresentOptions, Published, PublishOptions, YankOptions } from './cards.js'
export type { Consent, Consents } from './consents.js'
export type { Feed, FeedStore } from './feed.js'
export type { InboxItem, IntroduceOptions, Introduction, Introductions } from './introductions/introductions.js'
export { type ConnectDeviceOptions, connectDevice, type DeviceCode, type DeviceConnected } from './keys/connect-device.js'
export { registerClient } from './keys/register-client.js'
export { confirmAgent, joinRegistry, redeemKeyCode } from './keys/register-key.js'
export type { KeyRotated, RotateOptions } from './keys/rotate-key.js'
export { readCosignedCheckpoint, readVerifierKeys } from './log/cosignatures.js'
export {
  isConsistent,
  isIncluded,
  type LogCopy,
  newLogCopy,
  parseCheckpoint,
  readCheckpoint,
  readInclusion,
  verifyWholeLog,
} from './log/log.js'
export { fetchRegistryKeys, issuerOf } from './registry.js'
export type { Budget, Ended, LineageNode, PageOptions, Task, Tasks } from './tasks.js'
export type { AccessToken, ExchangeOptions, RootOptions, TokenStore } from './tokens.js'
export { credenceLink } from './trpc-link.js'
export type { IntrospectOptions, RevokeOptions, Settled, SettleOptions, TokenListOptions, Verification, VerifyOptions } from './verify.js'
