import { Page } from '../../ui/page.js'

export function LogEntry() {
  return <Page title="LogEntry">…</Page>
}
