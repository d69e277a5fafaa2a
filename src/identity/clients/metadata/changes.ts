import { z } from 'zod'

/** When the name of a client last changed, and when it last got another host of redirect URIs or another key (epoch seconds). */
export const ClientChanges = z.strictObject({
  name: z.int().optional(),
  redirectHosts: z.int().optional(),
  keys: z.int().optional(),
})
export type ClientChanges = z.infer<typeof ClientChanges>

/** The parts of a client by which people recognise it. */
interface Recognised {
  readonly name: string | undefined
  readonly redirectUris?: readonly string[] | undefined
  /** Thumbprints. */
  readonly keys?: readonly string[]
}

/** The changes up to now, for the record of the client. */
export function changesUpTo(
  now: number,
  earlier: ClientChanges | undefined,
  before: Recognised,
  after: Recognised,
): { readonly changes?: ClientChanges } {
  const added = (ofBefore: readonly string[], ofAfter: readonly string[]) => ofAfter.some((one) => !ofBefore.includes(one))
  const changes = {
    ...earlier,
    ...(before.name !== after.name && { name: now }),
    ...(added(hostsOf(before), hostsOf(after)) && { redirectHosts: now }),
    ...(added(before.keys ?? [], after.keys ?? []) && { keys: now }),
  }
  return Object.keys(changes).length > 0 ? { changes } : {}
}

const hostsOf = ({ redirectUris = [] }: Recognised): readonly string[] =>
  redirectUris.map((uri) => {
    const { host, protocol } = new URL(uri)
    return `${protocol}//${host}`
  })
