import { Page } from '../../ui/page.js'

export function SigningKeys() {
  return <Page title="SigningKeys">…</Page>
}
