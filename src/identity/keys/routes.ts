import { z } from 'zod'
import { creationFor, credentialFor, procedureFor, publicProcedure, requireKeyToken, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { AgentId, ClientId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import type { OwnerDeps } from './authority.js'
import { type CompromiseDeps, compromiseKey } from './compromise.js'
import { issueKeyCode, type KeyCodeDeps } from './issue-code.js'
import { listRegisteredKeys, type RegisteredKeyList } from './list.js'
import { type KeyCodeRedeemed, redeemKeyCode } from './redeem-code.js'
import { registerKey } from './register.js'
import { retireKey } from './retire.js'
import { revokeKey } from './revoke.js'
import { type KeyRotated, rotateKey } from './rotate.js'
import { withdrawKeyCodes } from './withdraw-codes.js'

const ById = z.strictObject({ keyId: RegisteredKeyId })

/** A public key in a request; `requireOfferedKey` checks its content and names the fault. */
export const OfferedJwk = z.record(z.string().max(32), z.unknown())
export const OfferedProof = z.string().min(1).max(4096)
const OverlapSeconds = z
  .int()
  .min(0)
  .max(90 * 86_400)

export const registeredKeysRoutes = (deps: KeyCodeDeps & CompromiseDeps & OwnerDeps) =>
  router({
    register: credentialFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner, use: KeyPurpose, jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(({ ctx, input }) => registerKey(deps, ctx.caller, input)),
    list: procedureFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner }))
      .query(({ ctx, input }): Promise<RegisteredKeyList> => listRegisteredKeys(deps, ctx.caller, input.owner)),
    retire: procedureFor('agents:write')
      .input(ById.extend({ overlapSeconds: OverlapSeconds.optional() }))
      .mutation(({ ctx, input }) => retireKey(deps, ctx.caller, input.keyId, input.overlapSeconds)),
    rotate: credentialFor('any')
      .input(
        z.strictObject({
          owner: KeyOwner,
          jwk: OfferedJwk,
          proof: OfferedProof,
          endorsement: OfferedProof,
          overlapSeconds: OverlapSeconds.optional(),
        }),
      )
      .mutation(({ ctx, input }): Promise<KeyRotated> => rotateKey(deps, ctx.caller, input)),
    issueCode: creationFor('agents:write')
      .input(z.strictObject({ clientId: ClientId, revokeOthers: z.boolean().default(false) }))
      .mutation(({ ctx, input }) => {
        // A session may replace the keys of an agent, as it may register one. A code for a member would make the session permanent
        if (!AgentId.safeParse(input.clientId).success) requireKeyToken(ctx.caller)
        return issueKeyCode(deps, ctx.caller, input)
      }),
    withdrawCodes: procedureFor('agents:write')
      .input(z.strictObject({ clientId: ClientId }))
      .mutation(({ ctx, input }) => withdrawKeyCodes(deps, ctx.caller, input.clientId)),
    redeemCode: publicProcedure
      .input(z.strictObject({ code: z.string().min(1).max(128), jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(({ input }): Promise<KeyCodeRedeemed> => redeemKeyCode(deps, input)),
    revoke: procedureFor('agents:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { keyId, ...because } }) => revokeKey(deps, ctx.caller, keyId, because)),
    compromise: procedureFor('agents:write')
      .input(ById.extend({ since: z.int().min(0), note: REVOCATION_INPUT.note }))
      .mutation(({ ctx, input: { keyId, since, note } }) => compromiseKey(deps, ctx.caller, keyId, since, note)),
  })
