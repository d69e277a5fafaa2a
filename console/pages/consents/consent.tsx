import { Page } from '../../ui/page.js'

export function ConsentPage() {
  return <Page title="ConsentPage">…</Page>
}
