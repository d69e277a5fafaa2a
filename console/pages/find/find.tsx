import { Page } from '../../ui/page.js'

export function Find() {
  return <Page title="Find">…</Page>
}
