import { Page } from '../../ui/page.js'

export function Members() {
  return <Page title="Members">…</Page>
}
