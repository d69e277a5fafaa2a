import { z } from 'zod'

/**
 * What can lose trust has a handle: a random 128-bit name that ends once, for ever.
 * `ver:` names one version of a record that decisions read; all others are identities.
 */
export type HandleKind = 'org' | 'mem' | 'agt' | 'key' | 'int' | 'tsk' | 'tok' | 'rk' | 'epo' | 'ver'

/** Of any kind: one that only a newer build knows ends, and is stood on, like all others. */
export const Handle = z
  .string()
  .regex(/^[a-z]{2,8}:[A-Za-z0-9_-]{22,43}$/)
  .brand<'Handle'>()
export type Handle = z.infer<typeof Handle>

/** A new random handle. */
export const newHandle = (random: { token(bytes: number): string }, kind: HandleKind): Handle => Handle.parse(`${kind}:${random.token(16)}`)

/** `tok_…` (a token's jti) → its handle. A verifier adds it by itself. */
export const handleOfToken = (jti: string): Handle => Handle.parse(`tok:${jti.replace(/^tok_/, '')}`)

/** `kid` of a registry key (its RFC 7638 thumbprint) → its handle. */
export const handleOfRegistryKey = (kid: string): Handle => Handle.parse(`rk:${kid}`)

export const isVersion = (handle: Handle): boolean => handle.startsWith('ver:')

/** The identities among `handles`: what long-lived things stand on. */
export const identitiesOf = (handles: readonly Handle[]): Handle[] => handles.filter((handle) => !isVersion(handle))

export const distinct = (handles: readonly Handle[]): Handle[] => [...new Set(handles)]
