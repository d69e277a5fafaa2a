// A caller that floods /oauth/token. Each connection sends its next request at the response, and opens again when it is closed. All of them
// together send at most `perSecond`. The process has the lowest priority, so it takes no time from the well-behaved agents on its core.
import { connect } from 'node:net'
import { setPriority } from 'node:os'
import { confirmAgent, newEs256Signer } from 'credence/client'
import { nonceOf, requests } from '../exchange.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { closedLoop, send } from '../lib/load.js'

setPriority(19)
const { issuer, ports } = optionsOf()
const url = `${issuer}/oauth/token`
let client
let prepared = []

const bytesOf = ({ headers, body }) => {
  const lines = Object.entries({ host: 'registry', ...headers, 'content-length': body.length }).map(([name, value]) => `${name}: ${value}`)
  return `POST /oauth/token HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

/** One connection. `next` returns bytes to send, undefined to wait, or `null` at the end. */
function flood({ port, localAddress, next, onStatus }) {
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  let timer
  const sendNext = () => {
    const bytes = next()
    if (bytes === null) socket.destroy()
    else if (bytes !== undefined) socket.write(bytes)
    else timer = setTimeout(sendNext, 10)
  }
  socket.on('connect', sendNext)
  // Responses are short, so each arrives in one piece
  socket.on('data', (data) => {
    onStatus(data.toString('latin1', 9, 12))
    sendNext()
  })
  socket.on('error', () => onStatus('closed'))
  return new Promise((resolve) => {
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

serveCalls(
  {},
  {
    join: async ({ agentId, registrationToken }) => {
      const signer = await newEs256Signer()
      await confirmAgent({ issuer, agentId, registrationToken, signer })
      client = { signer, clientId: agentId, issuer, url, form: { grant_type: 'client_credentials' } }
    },
    /** Token requests per second of 32 callers: one burst, within the rate of one client. */
    capacity: async (count) => {
      const jobs = await requests(count, { ...client, nonce: await nonceOf(url, client) })
      const { ms } = await closedLoop(jobs, 32, async (job) => {
        const { status, text } = await send(url, job)
        if (status !== 200) throw new Error(`${status} ${text}`)
      })
      return (count / ms) * 1000
    },
    /** Signs requests of the client, or (`isForged`) one of the client with another key, which every connection repeats. */
    prepare: async ({ count, isForged }) => {
      const signer = isForged ? await newEs256Signer() : client.signer
      const jobs = await requests(isForged ? 1 : count, { ...client, signer, nonce: await nonceOf(url, client) })
      prepared = jobs.map(bytesOf)
    },
    /** Floods until `seconds` have passed; returns the counts of statuses. */
    run: async ({ seconds, perSecond, connections, addresses }) => {
      const [startedAt, statuses] = [performance.now(), {}]
      let sent = 0
      const elapsed = () => (performance.now() - startedAt) / 1000
      const next = () => {
        if (elapsed() > seconds) return null
        if (sent >= elapsed() * perSecond) return undefined
        return prepared[sent++ % prepared.length]
      }
      const onStatus = (status) => {
        statuses[status] = (statuses[status] ?? 0) + 1
      }
      const keepOpen = async (i) => {
        const localAddress = addresses === 1 ? '127.0.2.1' : `127.0.1.${(i % addresses) + 1}`
        while (elapsed() < seconds) await flood({ port: ports[i % ports.length], localAddress, next, onStatus })
      }
      await Promise.all(Array.from({ length: connections }, (_, i) => keepOpen(i)))
      return { ...statuses, sent }
    },
  },
)
