import { z } from 'zod'

/**
 * Everything that can lose trust has a handle: a random 128-bit name (for a signing key of the registry, its thumbprint). A handle ends at most
 * once, for ever.
 * `ver:` names one version of a record that decisions read; all other kinds are identities.
 */
export type HandleKind =
  | 'org'
  | 'mem'
  | 'agt'
  | 'key'
  | 'int'
  | 'tsk'
  | 'res'
  | 'tok'
  | 'rk'
  | 'epo'
  | 'cli'
  | 'iss'
  | 'lnk'
  | 'cns'
  | 'fam'
  | 'ses'
  | 'ver'

/** Accepts every kind: handles of a kind that only a newer build knows must work like all others. */
export const Handle = z
  .string()
  .regex(/^[a-z]{2,8}:[A-Za-z0-9_-]{22,43}$/, 'not a handle (such as agt: + 22 characters)')
  .brand<'Handle'>()
export type Handle = z.infer<typeof Handle>

/** Creates a random handle. */
export const newHandle = (random: { token(bytes: number): string }, kind: HandleKind): Handle => Handle.parse(`${kind}:${random.token(16)}`)

/** The handle of the token with this `jti` (`tok_…`). A token does not list its own handle, so verifiers derive it. */
export const handleOfToken = (jti: string): Handle => Handle.parse(`tok:${jti.replace(/^tok_/, '')}`)

/** The handle of the registry's signing key with this `kid` (its RFC 7638 thumbprint). */
export const handleOfRegistryKey = (kid: string): Handle => Handle.parse(`rk:${kid}`)

export const isVersion = (handle: Handle): boolean => handle.startsWith('ver:')

/** The identities among `handles`. Long-lived records depend on identities only, never on versions. */
export const identitiesOf = (handles: readonly Handle[]): Handle[] => handles.filter((handle) => !isVersion(handle))

export const distinct = (handles: readonly Handle[]): Handle[] => [...new Set(handles)]
