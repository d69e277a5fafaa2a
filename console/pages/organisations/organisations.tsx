import { Page } from '../../ui/page.js'

export function Organisations() {
  return <Page title="Organisations">…</Page>
}
