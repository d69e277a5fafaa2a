// The chapter of the demo in which an agent acts for a person, who signs in and decides in a browser.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { newBrowser, signIn, ticked } from './browser.js'
import { chapter, claim, refusal, refusedWithin } from './stage.js'

/** Where the planner asks to send people back to. */
export const REDIRECT = 'https://planner.example/callback'
/** The claims of a token, for the demo to print. Agents verify tokens. */
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

/** `petra` is a person of the organisation of the planner, `globex` its administrator. `planner` runs a command in the planner; `research` is its registration. */
export async function actForPerson({ issuer, petra, globex, planner, plannerId, research, researchUrl, ocrAudience }) {
  chapter('7. An agent acts for a person, who revokes')
  await globex.mutate('agents.change', { agentId: plannerId, redirectUris: [REDIRECT] })
  const { taskId } = await planner('task', { description: 'my tax return' })
  const passOn = { depth: 1, rights: [{ audience: ocrAudience, scope: 'ocr:read' }] }
  const url = await planner('askPerson', {
    redirectUri: REDIRECT,
    request: {
      resource: [issuer, research.audience],
      scope: 'tokens:exchange research:ask',
      task_id: taskId,
      delegation: JSON.stringify(passOn),
    },
  })

  const browser = newBrowser(issuer)
  const unknown = await browser.get(url)
  claim(unknown.status === 303 && unknown.location.includes('/sign-in'), 'the browser of a stranger is sent to the sign-in page')
  const { ticket } = await petra.mutate('sessions.ticket')
  const signedIn = await signIn(browser, ticket)
  claim(signedIn.status === 303, 'Petra signed in with a ticket of her command line, which is good once and for 60 s')
  const page = await browser.get(url)
  claim(page.text.includes('Planner') && ticked(page).length === 2, 'the page says that the planner asks, for whom, and for which rights')
  const decided = await browser.submit(page, '/oauth/authorize/decision', {
    decision: 'allow',
    right: ticked(page),
    passOn: 'yes',
    duration: 'task',
  })
  const back = new URL(decided.location)
  claim(
    back.searchParams.has('code') && back.searchParams.get('iss') === issuer,
    'she allowed it for one task; the planner gets a code and the issuer',
  )
  const root = await planner('redeem', { url: back.href, resource: issuer })

  const peer = { audience: research.audience, scope: 'research:ask', taskId, subjectToken: root, delegation: passOn }
  const forResearch = claimsOf((await planner('exchange', { peer })).accessToken)
  await planner('connect', { name: 'for Petra', peer, endpoint: researchUrl })
  const ask = () => planner('ask', { name: 'for Petra', text: 'receipts' })
  const { text } = await ask()
  const [, seen] = /for (per_\S+) → \S+ → \S+$/.exec(text) ?? []
  claim(seen !== undefined, `the planner passed it on, and the OCR agent sees for whom, through which agents: ${text}`)
  claim(
    forResearch.sub.startsWith('per_') &&
      forResearch.sub !== seen &&
      !JSON.stringify([claimsOf(root), forResearch, text]).includes(petra.clientId),
    'the research agent sees another id of her than the OCR agent, and none of them her own',
  )

  const { items } = await petra.query('consents.list', {})
  const { consentId } = items.find(({ audience }) => audience === research.audience)
  await petra.mutate('consents.revoke', { consentId })
  const revoked = performance.now()
  const refused = await refusedWithin(revoked + 1000, ask)
  claim(
    /401|invalid_token/.test(refused),
    `she revoked her consent, and the next call was refused within ${(performance.now() - revoked).toFixed(1)} ms`,
  )
  claim(/invalid_target/.test(await refusal(() => planner('exchange', { peer }))), 'the registry issues no further token for her')
}

/**
 * Serves URLs that sign a browser in. `ways` maps a path to the member and to the page to which the sign-in leads (`returnTo`; default: the account).
 * A ticket is good once and for 60 s, so each request gets a new one.
 */
export async function serveTickets(ways) {
  const server = createServer(async (request, response) => {
    const way = ways[request.url]
    if (!way) return response.writeHead(404).end()
    const { url } = await way.member.mutate('sessions.ticket', { ...(way.returnTo && { returnTo: way.returnTo }) })
    response.writeHead(302, { location: url, 'cache-control': 'no-store' }).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { urlOf: (path) => `http://127.0.0.1:${server.address().port}${path}`, close: () => server.close() }
}
