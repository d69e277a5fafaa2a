import { digestOfJson } from '../credentials/digest.js'
import type { Random } from '../lib/random.js'
import type { CardModel } from '../protocol/card-model.js'
import { newHandle } from '../protocol/handles.js'
import { Scope } from '../protocol/rights.js'
import type { Card } from './store.js'

export type Parts = Pick<Card, 'core' | 'skills'>

/** What callers rely on: endpoint and security together, and each skill. A part that says the same keeps its version. */
export function partsOf(model: CardModel, before: Parts | undefined, random: Pick<Random, 'token'>): Parts {
  const { supportedInterfaces, securitySchemes, securityRequirements } = model
  const part = (content: unknown, known: { readonly ver: Card['core']['ver']; readonly digest: string } | undefined) => {
    const digest = digestOfJson(content)
    return known?.digest === digest ? { ver: known.ver, digest } : { ver: newHandle(random, 'ver'), digest }
  }
  return {
    core: part({ supportedInterfaces, securitySchemes, securityRequirements }, before?.core),
    skills: model.skills.map((skill) => ({
      id: skill.id,
      ...part(
        skill,
        before?.skills.find((one) => one.id === skill.id),
      ),
    })),
  }
}

/** The versions that are not among those of `after`. */
export function versionsOnlyIn(before: Parts, after: Parts | undefined): Card['core']['ver'][] {
  const kept = new Set(after ? versionsOf(after) : [])
  return versionsOf(before).filter((ver) => !kept.has(ver))
}

export const versionsOf = ({ core, skills }: Parts): Card['core']['ver'][] => [core.ver, ...skills.map(({ ver }) => ver)]

/** Scopes of every OAuth2 scheme that the card declares. What is no scope (RFC 6749 §3.3) is passed over. */
export function scopesOf({ securitySchemes }: CardModel): Scope[] {
  const names = Object.values(securitySchemes).flatMap(({ oauth2SecurityScheme }) =>
    Object.values(oauth2SecurityScheme?.flows ?? {}).flatMap((flow) => Object.keys(flow?.scopes ?? {})),
  )
  const scopes = [...new Set(names)].map((name) => Scope.safeParse(name)).flatMap((parsed) => (parsed.success ? [parsed.data] : []))
  return scopes.sort().slice(0, 256)
}

export const endpointOf = (model: CardModel): string | undefined => model.supportedInterfaces[0]?.url
