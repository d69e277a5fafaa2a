import type { ErrorBody } from '../route.js'
import { pageText } from './page.js'

/** The body of an error response of a page. */
export const errorPage: ErrorBody = (refusal, requestId) =>
  pageText(
    { title: TITLES[refusal?.reason ?? ''] ?? (refusal ? 'This did not work' : 'The registry failed') },
    <>
      <p class="error" role="alert">
        {refusal ? sentence(refusal.message) : 'This is a fault of the registry. It was logged; please try again later.'}
      </p>
      <p>
        <a href="/you">Your account</a>
      </p>
      <p class="hint">
        Request <code>{requestId}</code>
      </p>
    </>,
  )

const TITLES: Readonly<Record<string, string>> = {
  not_found: 'There is no such page',
  csrf: 'The form was not accepted',
  rate_limited: 'Too many attempts',
  unavailable: 'The registry is not available',
  standing_unknown: 'The registry is not available',
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
