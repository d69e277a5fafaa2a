import { Page } from '../../ui/page.js'

export function Consents() {
  return <Page title="Consents">…</Page>
}
