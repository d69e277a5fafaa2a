import { Page } from '../../ui/page.js'

export function Resources() {
  return <Page title="Resources">…</Page>
}
