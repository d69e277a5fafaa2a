import { STYLE_PATH } from './pages/style.js'
import type { Route } from './route.js'

/** A page for people who open the address of the registry in a browser. It holds no scripts and names only public documents. */
export const landingPage = ({ issuer, version }: { readonly issuer: string; readonly version: string }): Route => ({
  method: 'GET',
  path: '/',
  endpoint: async () => ({
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=60',
      'content-security-policy': "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    },
    body: `<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Credence registry</title>
<link rel="ard" href="/.well-known/ard.json">
<link rel="stylesheet" href="${STYLE_PATH}">
<main>
<h1>Credence registry</h1>
<p>This is ${issuer}, a trust registry for A2A agents (Credence ${version}).</p>
<p><a href="/sign-in">Sign in</a></p>
<ul class="items">
<li><a href="/.well-known/ard.json">Catalog of the published agents</a></li>
<li><a href="/.well-known/oauth-authorization-server">Authorization server metadata</a></li>
<li><a href="/.well-known/oauth-protected-resource">Protected resource metadata</a></li>
<li><a href="/.well-known/jwks.json">Keys</a></li>
<li><a href="/log/checkpoint">Checkpoint of the trust log</a></li>
</ul>
</main>
</html>
`,
  }),
})
