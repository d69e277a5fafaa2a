import { Page } from '../../ui/page.js'

export function Namespaces() {
  return <Page title="Namespaces">…</Page>
}
