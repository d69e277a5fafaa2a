// Proof that the operator of a DNS name has admitted an organisation: a TXT record or a file with the challenge of the organisation's claim.

import { isRefusal, type Reason } from '../../errors.js'
import type { Cause, GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import type { Resolver } from '../../lib/hosts/resolver.js'
import { shortened } from '../../lib/text.js'
import type { NamespaceClaim, ProofMethod } from './store.js'

export interface EvidenceDeps {
  readonly resolver: Pick<Resolver, 'txt'>
  readonly guardedFetch: GuardedFetch
}

/** The two proofs that the operator of the name may publish. One is enough. */
export interface RequiredProof {
  /** Covers the name and its subdomains. */
  readonly txt: { readonly name: string; readonly value: string }
  /** Covers only this host. */
  readonly file: { readonly url: string; readonly content: string }
}

export function requiredProof({ name, challenge }: Pick<NamespaceClaim, 'name' | 'challenge'>): RequiredProof {
  const value = `credence-namespace=${challenge}`
  return {
    txt: { name: `_credence-challenge.${name}`, value },
    file: { url: `https://${name}/.well-known/credence.txt`, content: value },
  }
}

type Evidence = { readonly method: ProofMethod } | { readonly failure: string }

interface Search {
  readonly methods: readonly ProofMethod[]
  /** The member who asked for the check, whose rate of outgoing requests it counts for. */
  readonly cause: Cause | undefined
}

/**
 * Looks for the challenge by the given methods, in order. A look-up that was not made, because of a rate or a limit, is refused and says nothing
 * about the proof.
 */
export async function findEvidence(
  deps: EvidenceDeps,
  claim: Pick<NamespaceClaim, 'name' | 'challenge'>,
  { methods, cause }: Search,
): Promise<Evidence> {
  const failures: string[] = []
  for (const method of methods) {
    const failure = await (method === 'txt'
      ? txtFailure(deps, requiredProof(claim))
      : fileFailure(deps, requiredProof(claim), cause)
    ).catch((error: unknown) => {
      if (isRefusal(error) && FAILURES.has(error.reason)) return `${method}: ${error.message}`
      throw error
    })
    if (failure === undefined) return { method }
    failures.push(failure)
  }
  return { failure: shortened(failures.join('; '), MAX_FAILURE) }
}

const FAILURES: ReadonlySet<Reason> = new Set(['fetch_failed', 'url_not_allowed'])
const MAX_FAILURE = 1024

async function txtFailure({ resolver }: EvidenceDeps, { txt: { name, value } }: RequiredProof): Promise<string | undefined> {
  const records = await resolver.txt(name)
  if (records.some((record) => record.trim() === value)) return undefined
  return records.length === 0 ? `${name} has no TXT record` : `none of the ${records.length} TXT records of ${name} has the value ${value}`
}

async function fileFailure(
  { guardedFetch }: EvidenceDeps,
  { file: { url, content } }: RequiredProof,
  cause: Cause | undefined,
): Promise<string | undefined> {
  const { body } = await guardedFetch({ url, purpose: 'namespace', cause })
  const lines = new TextDecoder().decode(body).split('\n')
  return lines.some((line) => line.trim() === content) ? undefined : `no line of ${url} is ${content}`
}
