import { domainToASCII, domainToUnicode } from 'node:url'
import { refuse } from '../../errors.js'
import { isMixedScript } from '../../lib/hosts/mixed-script.js'
import { skeletonOf } from '../../lib/hosts/skeleton.js'
import { isSpecialUseHost } from '../../lib/hosts/special-use.js'

/** An audit row names it as its subject. */
const MAX_NAME = 128
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

interface NameRules {
  readonly issuer: string
  /** Development mode accepts special-use names, such as `acme.test`. */
  readonly dev: boolean
}

/** Returns the DNS name in lower case, with international labels in Punycode. Refuses names that no organisation may prove. */
export function requireNamespaceName({ issuer, dev }: NameRules, text: string): string {
  const name = /[/:@?#%\\\s]/u.test(text) ? '' : domainToASCII(text)
  const labels = name.split('.')
  if (name.length > MAX_NAME || labels.length < 2 || !labels.every((label) => LABEL.test(label)) || /^\d+$/.test(labels.at(-1) ?? ''))
    return refuse('bad_input', `not a DNS name of at most ${MAX_NAME} characters with a dot`, {
      faults: [{ pointer: '/name', hint: 'expected a DNS name such as agents.acme.com, without scheme, port, path and final dot' }],
    })
  const registry = new URL(issuer).hostname
  if (name === registry || name.endsWith(`.${registry}`))
    return refuseReserved(`${name} belongs to the registry; use a name of your organisation`)
  if (!dev && isSpecialUseHost(name)) return refuseReserved(`${name} is a special-use name, which no organisation owns (RFC 6761)`)
  if (isMixedScript(domainToUnicode(name)))
    return refuse('name_confusable', `a label of ${name} mixes writing systems, so it can look like another name (UTS 39)`, {
      faults: [{ pointer: '/name', hint: 'use a name whose labels each have letters of one writing system' }],
    })
  return name
}

const refuseReserved = (hint: string): never =>
  refuse('name_reserved', 'this namespace is reserved', { faults: [{ pointer: '/name', hint }] })

/** The key of a namespace: names that look alike have the same key, so only one of them can be proved. */
export const namespaceIdOf = (name: string): string => skeletonOf(domainToUnicode(name))

/** The keys of the name and of its parents. */
export const pathOf = (name: string): string[] => withParents(name).map(namespaceIdOf)

/** The name, then its parents down to two labels. */
export function withParents(name: string): readonly string[] {
  const labels = name.split('.')
  return labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'))
}
