import { parseSetCookie } from 'cookie'
import type { Actor, Registry } from '../../registry.js'

/** A browser without scripts: it keeps cookies, sends `Origin` with a form, and shows the response without following redirects. */
export interface Browser {
  readonly cookies: Map<string, string>
  get(path: string): Promise<Shown>
  /** Sends the form of a page whose action is `action`, with its hidden fields, and `fields` in addition. */
  submit(shown: Shown, action: string, fields?: FormFields, headers?: Record<string, string>): Promise<Shown>
  /** Sends a form that no page has. */
  post(path: string, fields: FormFields, headers?: Record<string, string>): Promise<Shown>
  /** Gets the page to which a response redirects. */
  follow(shown: Shown): Promise<Shown>
}

type FormFields = Readonly<Record<string, string | readonly string[]>>

export interface Shown {
  readonly status: number
  readonly headers: Headers
  readonly location: string | undefined
  readonly text: string
}

export function newBrowser(issuer: string): Browser {
  const cookies = new Map<string, string>()
  const request = async (path: string, init: RequestInit = {}): Promise<Shown> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(new URL(path, issuer), {
      ...init,
      headers: { ...(cookie && { cookie }), ...(init.headers as Record<string, string> | undefined) },
      redirect: 'manual',
    })
    for (const text of response.headers.getSetCookie()) {
      const { name, value = '', maxAge } = parseSetCookie(text)
      if (maxAge === 0) cookies.delete(name)
      else cookies.set(name, value)
    }
    const { status, headers } = response
    return { status, headers, location: headers.get('location') ?? undefined, text: await response.text() }
  }
  const post: Browser['post'] = (path, fields, headers = {}) => {
    const body = new URLSearchParams(
      Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, String(one)])),
    )
    return request(path, { method: 'POST', body, headers: { origin: issuer, 'sec-fetch-site': 'same-origin', ...headers } })
  }
  return {
    cookies,
    get: (path) => request(path),
    post,
    submit: (shown, action, fields = {}, headers = {}) => post(action, { ...hiddenFieldsOf(shown, action), ...fields }, headers),
    follow: (shown) => {
      if (shown.location === undefined) throw new Error(`no redirect: ${shown.status} ${shown.text.slice(0, 300)}`)
      return request(shown.location)
    },
  }
}

/** The hidden fields of the form with this action. */
export function hiddenFieldsOf({ text }: Shown, action: string): Record<string, string> {
  const form = text.match(new RegExp(`<form[^>]*action="${action.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}"[^>]*>(.*?)</form>`, 's'))?.[1]
  if (form === undefined) throw new Error(`the page has no form for ${action}: ${text.slice(0, 500)}`)
  return Object.fromEntries(
    [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [name, unescaped(value)]),
  )
}

const unescaped = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** Signs a member in by a ticket, over HTTP. */
export async function signedIn({ issuer }: Pick<Registry, 'issuer'>, member: Actor, browser = newBrowser(issuer)): Promise<Browser> {
  const { ticket } = await member.mutate<{ ticket: string }>('sessions.ticket', undefined)
  const offered = await browser.submit(await browser.get('/sign-in'), '/sign-in/ticket', { ticket })
  const done = await browser.submit(await browser.follow(offered), '/sign-in/confirm')
  if (done.status !== 303) throw new Error(`the sign-in failed: ${done.status} ${done.text}`)
  return browser
}
