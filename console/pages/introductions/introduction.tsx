import { Page } from '../../ui/page.js'

export function IntroductionPage() {
  return <Page title="IntroductionPage">…</Page>
}
