// Outside development mode, the URLs to which a caller connects because of a card must be on the public internet: the interfaces, and the
// URLs of the security schemes. Links (`documentationUrl`, `iconUrl`, the provider's URL) are not checked, because a caller sends nothing there.
import { domainToUnicode } from 'node:url'
import { isMixedScript } from '../../../lib/hosts/mixed-script.js'
import { isSpecialUseHost } from '../../../lib/hosts/special-use.js'
import { pointerOf } from '../../../lib/json-pointer.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { CardFault } from '../../../protocol/cards/card-rules.js'
import { interfaceFault, isHttpBinding, urlOfInterface } from '../../../protocol/cards/interface-url.js'

type Interface = CardModel['supportedInterfaces'][number]

/** The addresses in a card that are not public. A card with such an address cannot be published; `dev` accepts every address. */
export function addressFaults({ supportedInterfaces, securitySchemes }: CardModel, { dev }: { readonly dev: boolean }): CardFault[] {
  if (dev) return []
  const ofInterfaces = supportedInterfaces.map((one, i) => ({ pointer: `/supportedInterfaces/${i}/url`, hint: interfaceAddressFault(one) }))
  const ofSchemes = urlsWithin(securitySchemes, ['securitySchemes']).map(({ pointer, url }) => ({ pointer, hint: webAddressFault(url) }))
  return [...ofInterfaces, ...ofSchemes].flatMap(({ pointer, hint }) =>
    hint === undefined ? [] : [{ code: 'address-not-public', pointer, hint }],
  )
}

/** The interfaces that cannot be called because their address does not fit their binding. They are kept, and a verdict names them. */
export const unusableInterfaces = ({ supportedInterfaces }: CardModel): CardFault[] =>
  supportedInterfaces.flatMap((one, i) => {
    const hint = interfaceFault(one)
    return hint === undefined ? [] : [{ code: 'unusable-interface', pointer: `/supportedInterfaces/${i}/url`, hint }]
  })

/** The first interface that a client of this library can call: its binding is known, and its address is public (or `dev` is set). */
export const endpointOf = ({ supportedInterfaces }: CardModel, { dev }: { readonly dev: boolean }): string | undefined =>
  supportedInterfaces.find((one) => isHttpBinding(one) && urlOfInterface(one) && (dev || interfaceAddressFault(one) === undefined))?.url

/** An address that does not fit its binding has no host to check. */
function interfaceAddressFault(one: Interface): string | undefined {
  const url = urlOfInterface(one)
  if (url === undefined) return undefined
  if (isHttpBinding(one) || one.protocolBinding === 'GRPC') return webAddressFault(url)
  if (url.username !== '' || url.password !== '') return NO_USERINFO
  // Only http and https URLs have their host in the form that the table needs.
  return url.host === '' ? undefined : hostFault(URL.canParse(`https://${url.host}`) ? new URL(`https://${url.host}`).hostname : '')
}

const NO_USERINFO = 'it must not contain a user name or password'

function webAddressFault(url: URL): string | undefined {
  if (url.protocol !== 'https:') return 'it must be https (http only in development mode)'
  if (url.username !== '' || url.password !== '') return NO_USERINFO
  return hostFault(url.hostname)
}

function hostFault(hostname: string): string | undefined {
  if (isSpecialUseHost(hostname)) return `the host ${hostname} is not on the public internet (a special-use address or name)`
  const host = domainToUnicode(hostname)
  return host === '' || isMixedScript(host) ? `the host ${hostname} mixes scripts or is not a valid name (UTS 39)` : undefined
}

/** The URLs of security schemes. A scope may be named like a member with a URL, so the names of scopes are left out. */
function urlsWithin(value: unknown, path: readonly string[]): { pointer: string; url: URL }[] {
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, member]) => urlsWithin(member, [...path, name]))
  const isUrl = typeof value === 'string' && /url$/i.test(path.at(-1) ?? '') && path.at(-2) !== 'scopes' && URL.canParse(value)
  return isUrl ? [{ pointer: pointerOf(path), url: new URL(value) }] : []
}
