import { Page } from '../../ui/page.js'

export function Limits() {
  return <Page title="Limits">…</Page>
}
