import { Page } from '../../ui/page.js'

export function CardPage() {
  return <Page title="CardPage">…</Page>
}
