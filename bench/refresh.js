// CPU of the server per refresh of a token for a person, compared with an exchange of a token for an agent.
import { createHash } from 'node:crypto'
import { nonceOf, requests, sendAll } from './exchange.js'
import { aPair, newCast } from './lib/cast.js'
import { pinned, startChild } from './lib/child.js'
import { median } from './lib/report.js'

const REDIRECT = 'https://client.example/callback'
const VERIFIER = 'v'.repeat(43)

export async function run(report) {
  const [rounds, count] = report.isQuick ? [1, 20] : [15, 40]
  report.say(`refresh: ${rounds} rounds of ${count}, server on ${pinned}`)
  const registry = await startChild('credence.js')
  const { issuer } = registry.facts
  const cast = await newCast(registry.facts)
  const { ocr, planner } = await aPair(cast, issuer)
  await cast.admin.mutate('agents.change', { agentId: planner.agentId, redirectUris: [REDIRECT] })
  const url = `${issuer}/oauth/token`
  const client = { signer: planner.signer, clientId: planner.agentId, issuer, url }
  const browser = await signIn(issuer, cast.admin)
  const results = { refresh: [], exchange: [], ratio: [] }
  const cpuOf = async (jobs) => {
    const before = await registry.ask('cpu')
    const { done } = await sendAll(url, jobs)
    return ((await registry.ask('cpu')) - before) / done
  }
  for (let round = -1; round < rounds; round++) {
    const nonce = await nonceOf(url, { ...client, form: { grant_type: 'client_credentials' } })
    // Each refresh is of a family of its own: a refresh token is good once
    const refreshTokens = []
    for (let i = 0; i < count; i++) refreshTokens.push(await refreshTokenOf(browser, { ...client, nonce, audience: ocr.audience }))
    const refreshes = []
    for (const token of refreshTokens)
      refreshes.push(...(await requests(1, { ...client, nonce, form: { grant_type: 'refresh_token', refresh_token: token } })))
    const { accessToken } = await planner.token()
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: accessToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: ocr.audience,
    }
    const exchanges = await requests(count, { ...client, form, nonce })
    const [refresh, exchange] = [await cpuOf(refreshes), await cpuOf(exchanges)]
    // Under one consent no more than 50 families stand
    const { items } = await cast.admin.query('consents.list', {})
    await cast.admin.mutate('consents.revoke', { consentId: items.find(({ state }) => state === 'valid').consentId })
    if (round < 0) continue // the first round warms up
    results.refresh.push(refresh)
    results.exchange.push(exchange)
    results.ratio.push(refresh / exchange)
    report.say(`round ${round + 1}: ${Math.round(refresh)} µs per refresh, ${Math.round(exchange)} µs per exchange`)
  }
  report.figure('refresh, CPU', median(results.refresh), 'µs')
  report.figure('exchange, CPU', median(results.exchange), 'µs')
  report.goal('refresh / exchange', median(results.ratio), { atMost: 1.3 })
  await registry.stop()
}

/** Signs the administrator in by a ticket. Returns requests with the cookies of the browser. */
async function signIn(issuer, admin) {
  const cookies = new Map()
  const browser = async (path, fields) => {
    const response = await fetch(new URL(path, issuer), {
      redirect: 'manual',
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(fields && { origin: issuer, 'sec-fetch-site': 'same-origin' }),
      },
      ...(fields && { method: 'POST', body: new URLSearchParams(fields) }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
      cookies.set(name, value)
    }
    return { location: response.headers.get('location'), text: await response.text() }
  }
  const { ticket } = await admin.mutate('sessions.ticket')
  const offered = await browser('/sign-in/ticket', { ...hiddenFields((await browser('/sign-in')).text, '/sign-in/ticket'), ticket })
  await browser('/sign-in/confirm', hiddenFields((await browser(offered.location)).text, '/sign-in/confirm'))
  return browser
}

/** A push, the decision of the person, and the first refresh token. */
async function refreshTokenOf(browser, { audience, issuer, ...client }) {
  const form = {
    client_id: client.clientId,
    response_type: 'code',
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'ocr:read offline_access',
    resource: audience,
    prompt: 'consent',
  }
  const pushed = await post(`${issuer}/oauth/par`, { ...client, issuer, form })
  const page = `/oauth/authorize?${new URLSearchParams({ client_id: client.clientId, request_uri: pushed.request_uri })}`
  const shown = await browser(page)
  const decided = await browser('/oauth/authorize/decision', {
    ...hiddenFields(shown.text, '/oauth/authorize/decision'),
    decision: 'allow',
    right: /name="right" value="([^"]*)"/.exec(shown.text)[1],
    duration: 'until',
    until: new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10),
  })
  const code = new URL(decided.location).searchParams.get('code')
  const redemption = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER }
  return (await post(client.url, { ...client, issuer, form: redemption })).refresh_token
}

async function post(to, client) {
  const [{ headers, body }] = await requests(1, { ...client, url: to })
  const response = await fetch(to, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response.json()
}

function hiddenFields(text, action) {
  const [, form] = new RegExp(`<form[^>]*action="${action}"[^>]*>(.*?)</form>`, 's').exec(text)
  return Object.fromEntries(
    [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value.replaceAll('&amp;', '&'),
    ]),
  )
}
