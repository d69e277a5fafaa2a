// The cursor of a search: the position at which the next page begins, encrypted. A position may contain numbers that the store counts over the cards
// of all tiers, so no caller may read it.
import { z } from 'zod'
import { refuse } from '../../errors.js'
import { seal, unseal } from '../../signing-keys/sealed.js'
import type { Secrets } from '../../signing-keys/secrets.js'
import type { CardCursor } from '../../storage/storage.js'

const text = z.string().max(512)
const Factor = z.int().min(0).max(100)
const Term = z.union([z.tuple([text, Factor]), z.tuple([text, Factor, z.enum(['synonym', 'prefix', 'spelling'])])])
const Plan = z.strictObject({
  words: z.array(z.strictObject({ word: text, weight: z.int().min(0), terms: z.array(Term).max(16) })).max(32),
  reads: z.union([z.strictObject({ terms: z.array(z.int().min(0)).max(512) }), z.strictObject({ filter: z.int().min(0) })]),
  cut: z.strictObject({ list: z.int().min(0), position: z.union([z.string().max(256), z.int()]) }).optional(),
})

/** The beginning of a page: after the last hit of the page before, and by the same plan. */
const Position = z.strictObject({ after: z.tuple([z.number(), z.string().max(64)]), plan: Plan.optional() })

/** Encrypts a position for this query of this caller. */
export const encryptCursor = (secrets: Secrets, query: unknown, position: CardCursor): Promise<string> =>
  seal(secrets, { purpose: 'search cursor', query }, position)

/** Decodes a cursor. Every fault gets the same refusal. */
export async function decryptCursor(secrets: Secrets, query: unknown, cursor: string): Promise<CardCursor> {
  const deny = () =>
    refuse('bad_cursor', 'the cursor does not belong to this query, or was changed; search again without a cursor', {
      faults: [{ pointer: '/cursor', hint: 'leave it out, or send the query that it came from' }],
    })
  const parsed = Position.safeParse(await unseal(secrets, { purpose: 'search cursor', query }, cursor))
  if (!parsed.success) return deny()
  const { after, plan } = parsed.data
  return { after, ...(plan && { plan: withoutUndefined(plan) }) }
}

/** A plan that was JSON has no undefined members. */
const withoutUndefined = ({ cut, ...plan }: z.infer<typeof Plan>): NonNullable<CardCursor['plan']> => ({
  ...plan,
  ...(cut !== undefined && { cut }),
})
