import { Page } from '../../ui/page.js'

export function ResourcePage() {
  return <Page title="ResourcePage">…</Page>
}
