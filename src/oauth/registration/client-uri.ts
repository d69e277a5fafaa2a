import { isLoopback } from '../../lib/hosts/loopback.js'
import { ClientUri } from '../../protocol/ids.js'
import { isPlainName } from '../../protocol/names.js'

/**
 * The `client_id` if it is the URL of a Client ID Metadata Document in the one form that is accepted; otherwise what is wrong with it. It is compared
 * byte for byte.
 *
 * @see draft-ietf-oauth-client-id-metadata-document §3
 */
export function readClientUri(
  text: string,
  { issuer, dev }: { readonly issuer: string; readonly dev: boolean },
): { readonly uri: ClientUri } | string {
  const parsed = ClientUri.safeParse(text)
  if (!parsed.success || !URL.canParse(text))
    return 'expected an https URL with a path, without query and fragment, of at most 512 characters'
  const url = new URL(text)
  const isSecure = url.protocol === 'https:' || (dev && isLoopback(url.hostname))
  if (!isSecure) return 'the URL must be https (http only on loopback, in development mode)'
  if (url.username !== '' || url.password !== '') return 'the URL must not contain a user name or password'
  if (url.origin === issuer) return 'the URL names this registry'
  const path = text.slice(url.origin.length + 1).replace(/\/$/, '')
  if (url.href !== text || !isPlainName(path)) return 'the URL must be in canonical form, without empty or dot segments in any encoding'
  return { uri: parsed.data }
}
