// An agent whose private key is in another process: it confirms its registration at its first start, and prints its tasks at every start.
//
// AGENT='{"issuer": …, "agentId": …, "registrationToken": …, "socket": …}' node agent.js
import { confirmAgent, createAgent } from 'credence/client'
import { kmsSigner } from './kms-signer.js'

const { issuer, agentId, registrationToken, socket } = JSON.parse(process.env.AGENT ?? '{}')
const signer = await kmsSigner(socket)
if (registrationToken !== undefined) await confirmAgent({ issuer, agentId, registrationToken, signer })
const agent = createAgent({ issuer, clientId: agentId, signer })
await agent.tasks.create({ description: 'signed elsewhere' })
console.log(JSON.stringify(await agent.tasks.list()))
