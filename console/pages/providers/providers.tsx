import { Page } from '../../ui/page.js'

export function Providers() {
  return <Page title="Providers">…</Page>
}
