import { Page } from '../../ui/page.js'

export function Clients() {
  return <Page title="Clients">…</Page>
}
