import { Agent, request } from 'node:http'

const shared = new Agent({ keepAlive: true, maxSockets: 64 })

/** Sends one prepared request over `agent`; returns status, headers and text. */
export function send(url, { method = 'POST', headers = {}, body = '' }, { agent = shared } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, agent, headers: { ...headers, ...(body !== '' && { 'content-length': Buffer.byteLength(body) }) } },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Runs every job, `callers` at a time. Returns the milliseconds of the whole run (`ms`) and of each job (`each`). */
export async function closedLoop(jobs, callers, run) {
  const each = []
  let next = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < jobs.length) {
        const job = jobs[next++]
        const sentAt = performance.now()
        await run(job)
        each.push(performance.now() - sentAt)
      }
    }),
  )
  return { ms: performance.now() - started, each }
}

/** Starts a job every `1 / perSecond` seconds, whether or not earlier ones are done. Returns the milliseconds from its time to its end, of each. */
export async function openLoop(jobs, perSecond, run) {
  const started = performance.now()
  return Promise.all(
    jobs.map(async (job, i) => {
      const dueAt = started + (i * 1000) / perSecond
      await new Promise((resolve) => setTimeout(resolve, dueAt - performance.now()))
      await run(job)
      return performance.now() - dueAt
    }),
  )
}
