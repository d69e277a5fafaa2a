import type { NamespaceView } from '../../../src/identity/namespaces/view.js'
import type { TestDns } from '../../dns.js'
import type { Actor } from '../../registry.js'

export const addNamespace = (actor: Actor, name: string) => actor.mutate<NamespaceView>('namespaces.add', { name })

export const listNamespaces = async (actor: Actor): Promise<readonly NamespaceView[]> =>
  (await actor.query<{ items: NamespaceView[] }>('namespaces.list', {})).items

/** Publishes the TXT record of a namespace, in place of earlier ones. */
export function publishProof(dns: TestDns, { proof }: NamespaceView): void {
  if (proof) dns.setTxt(proof.txt.name, 'v=spf1 -all', proof.txt.value)
}

/** Adds a name, publishes its TXT record and has it checked. */
export async function proveNamespace(dns: TestDns, actor: Actor, name: string): Promise<NamespaceView> {
  publishProof(dns, await addNamespace(actor, name))
  return actor.mutate<NamespaceView>('namespaces.check', { name })
}
