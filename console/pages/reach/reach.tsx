import { Page } from '../../ui/page.js'

export function Reach() {
  return <Page title="Reach">…</Page>
}
