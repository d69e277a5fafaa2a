import { Page } from '../../ui/page.js'

export function Tasks() {
  return <Page title="Tasks">…</Page>
}
