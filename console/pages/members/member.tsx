import { Page } from '../../ui/page.js'

export function MemberPage() {
  return <Page title="MemberPage">…</Page>
}
