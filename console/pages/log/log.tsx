import { Page } from '../../ui/page.js'

export function Log() {
  return <Page title="Log">…</Page>
}
