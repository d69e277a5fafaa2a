// A browser without scripts for the demo: it keeps cookies and sends forms over HTTP. It follows no redirects.

export function newBrowser(issuer) {
  const cookies = new Map()
  async function request(path, init = {}) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const response = await fetch(new URL(path, issuer), { ...init, headers: { cookie, ...init.headers }, redirect: 'manual' })
    for (const text of response.headers.getSetCookie()) cookies.set(...text.split(';')[0].split(/=(.*)/s, 2))
    return { status: response.status, location: response.headers.get('location'), text: await response.text() }
  }
  return {
    get: (path) => request(path),
    /** Sends the form with this action, with its hidden fields and `fields`. */
    submit({ text }, action, fields = {}) {
      const form = text.split('<form').find((one) => one.includes(`action="${action}"`))
      if (form === undefined) throw new Error(`the page has no form for ${action}: ${text.slice(0, 300)}`)
      const body = new URLSearchParams()
      for (const [, name, value] of form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g))
        body.append(name, unescaped(value))
      for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one)
      return request(action, { method: 'POST', body, headers: { origin: issuer } })
    },
  }
}

/** Signs in with a ticket. */
export async function signIn(browser, ticket) {
  const offered = await browser.submit(await browser.get('/sign-in'), '/sign-in/ticket', { ticket })
  return browser.submit(await browser.get(offered.location), '/sign-in/confirm')
}

/** Everything that the page of a request offers, ticked. */
export const ticked = ({ text }) => [...text.matchAll(/name="right" value="([^"]*)"/g)].map(([, value]) => unescaped(value))

const unescaped = (text) => text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
