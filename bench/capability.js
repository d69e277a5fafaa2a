// Time of the response to a request for a capability which an agent has as a non-public skill, compared with a capability which no agent has.
// The requests alternate in pairs, and the order within a pair alternates, so a change of the machine's speed affects both sides alike.
import { aCard, newCast } from './lib/cast.js'
import { pinned, startChild } from './lib/child.js'
import { median } from './lib/report.js'

/** An agent may have 50 pending requests. */
const PAIRS_OF_REQUESTER = 25

export async function run(report) {
  const requesterCount = report.isQuick ? 1 : 40
  report.say(`capability: ${requesterCount * PAIRS_OF_REQUESTER} pairs of requests, server on ${pinned}`)
  const registry = await startChild('credence.js')
  const { issuer } = registry.facts
  const cast = await newCast(registry.facts)
  const times = { present: [], absent: [] }
  for (let i = 0; i < requesterCount; i++) {
    const target = await cast.agent(`target ${i}`)
    const skills = Array.from({ length: PAIRS_OF_REQUESTER }, (_, k) => ({
      id: `present-${i}-${k}`,
      name: 'x',
      description: 'x',
      tags: [],
    }))
    await target.publish({
      card: { ...aCard(issuer), skills: [...aCard(issuer).skills, ...skills] },
      hide: skills.map((_, k) => `/skills/${k + 1}`),
    })
    const requester = await aRequester(cast, `requester ${i}`)
    await requester.introductions.list({ role: 'from' }) // fetches the access token
    for (let k = 0; k < PAIRS_OF_REQUESTER; k++)
      for (const side of k % 2 === 0 ? ['present', 'absent'] : ['absent', 'present']) {
        await requester.introductions.request({ capability: `${side}-${i}-${k}`, purpose: 'bench' })
        times[side].push(requester.lastMs())
      }
  }
  await registry.stop()
  const slower = times.present.filter((ms, i) => ms > times.absent[i]).length
  report.figure('an agent has the capability, p50', median(times.present), 'ms')
  report.figure('no agent has it, p50', median(times.absent), 'ms')
  report.figure('pairs in which the first is slower', slower / times.present.length)
  const ratio = median(times.present) / median(times.absent)
  report.figure('the first / the second', ratio)
  report.goal('the longer / the shorter', Math.max(ratio, 1 / ratio), { atMost: 1.05 })
}

/** An agent that knows how long its last request took. */
async function aRequester(cast, name) {
  let lastMs = Number.NaN
  const agent = await cast.agent(name, {
    ceiling: { rights: [{ audience: { anyAgent: true }, scope: 'ocr:read' }] },
    fetch: async (input, init) => {
      const startedAt = performance.now()
      const response = await fetch(input, init)
      const body = await response.text()
      lastMs = performance.now() - startedAt
      return new Response(body, response)
    },
  })
  return { ...agent, lastMs: () => lastMs }
}
