import { Page } from '../../ui/page.js'

export function Inbox() {
  return <Page title="Inbox">…</Page>
}
