import { Page } from '../../ui/page.js'

export function RegisterAgent() {
  return <Page title="RegisterAgent">…</Page>
}
