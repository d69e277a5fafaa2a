import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
// @ts-expect-error The package has no types
import Provider from 'oidc-provider'
import { newBrowser, type Shown } from './browser.js'

export interface OpenIdProvider extends AsyncDisposable {
  readonly issuer: string
  /** Registers the client that the registry is here. */
  admit(client: { clientId: string; redirectUri: string; jwks: object }): void
  /** Signs a person in at the authorization URL, and returns the address of the registry to which the provider sends the browser. */
  signIn(authorizationUrl: string, login: string): Promise<string>
}

/** A real OpenID Provider (oidc-provider). Each login is an account of that name; those that begin with `f` have the department finance. */
export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  let listener: RequestListener = (_, response) => response.writeHead(503).end()
  const server = createServer((request, response) => listener(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const serve = (clients: object[]): void => {
    const provider = new Provider(issuer, {
      clients,
      clientAuthMethods: ['private_key_jwt'],
      conformIdTokenClaims: false,
      claims: { openid: ['sub'], profile: ['name', 'department'] },
      cookies: { keys: ['a key of a test'] },
      ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
      findAccount: (_: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, name: `<b>${id}</b>`, department: id.startsWith('f') ? ['finance', 'all'] : 'sales' }),
      }),
    })
    listener = provider.callback()
  }
  serve([])
  return {
    issuer,
    admit: ({ clientId, redirectUri, jwks }) =>
      serve([
        {
          client_id: clientId,
          redirect_uris: [redirectUri],
          jwks,
          token_endpoint_auth_method: 'private_key_jwt',
          response_types: ['code'],
          grant_types: ['authorization_code'],
        },
      ]),
    signIn: async (authorizationUrl, login) => {
      const browser = newBrowser(issuer)
      let shown = await browser.get(authorizationUrl)
      for (let step = 0; step < 12; step++) {
        if (shown.location !== undefined && !new URL(shown.location, issuer).href.startsWith(issuer)) return shown.location
        shown = shown.location === undefined ? await answer(browser, shown, login) : await browser.follow(shown)
      }
      throw new Error(`the provider did not return: ${shown.status} ${shown.text.slice(0, 500)}`)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Fills the form of an interaction in. */
function answer(browser: ReturnType<typeof newBrowser>, { text, status }: Shown, login: string): Promise<Shown> {
  const action = /<form[^>]*action="([^"]+)"/.exec(text)?.[1]
  const prompt = /name="prompt" value="([^"]+)"/.exec(text)?.[1]
  if (action === undefined || prompt === undefined) throw new Error(`not an interaction: ${status} ${text.slice(0, 500)}`)
  return browser.post(new URL(action).pathname, { prompt, login, password: 'x' })
}
