import { Page } from '../../ui/page.js'

export function Overview() {
  return <Page title="Overview">…</Page>
}
