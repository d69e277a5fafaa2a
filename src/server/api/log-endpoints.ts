import { z } from 'zod'
import { Entry } from '../../protocol/log/entry.js'
import { WitnessSubmission } from '../../trust-log/witness/cosigned-logs.js'
import type { HttpEndpoint } from './http-endpoint.js'

const json = (schema: z.ZodType) => ({ type: 'application/json', schema })
const Hash = z.string().describe('base64url SHA-256')
const Log = z.object({ log: z.string().describe('name of the log: the host of its issuer') })

/** The endpoints of the trust log and of witnesses. */
export const LOG_ENDPOINTS: readonly HttpEndpoint[] = [
  {
    method: 'GET',
    path: '/log/checkpoint',
    tag: 'Trust log',
    summary:
      'The newest checkpoint: a signed note over origin (`<host>/log/<epoch>`), size and root, with the cosignatures that the registry has for it. With `cosigned=true` the newest checkpoint that a witness has cosigned.',
    caller: 'anyone',
    source: 'C2SP tlog-checkpoint, tlog-cosignature',
    parameters: z.object({ cosigned: z.literal('true').optional() }),
    response: { type: 'text/plain' },
    reasons: ['bad_input', 'not_found'],
  },
  {
    method: 'GET',
    path: '/log/entries',
    tag: 'Trust log',
    summary:
      'Up to 1,000 entries or about 1 MiB, beginning with the sequence number `from`. Each entry is on a line of its own, in the RFC 8785 form that its leaf hashes.',
    caller: 'anyone',
    parameters: z.object({ from: z.int().min(0).optional(), limit: z.int().min(0).max(1000).optional() }),
    response: json(z.object({ entries: z.array(Entry), asOf: z.string() })),
    reasons: ['bad_input'],
  },
  {
    method: 'GET',
    path: '/log/inclusion',
    tag: 'Trust log',
    summary: 'Proof that entry `seq` is in the tree of `size` leaves (default: all).',
    caller: 'anyone',
    source: 'RFC 6962 §2.1.1',
    parameters: z.object({ seq: z.int().min(0), size: z.int().min(0).optional() }),
    response: json(z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: z.array(Hash) })),
    reasons: ['bad_input', 'not_found'],
  },
  {
    method: 'GET',
    path: '/log/consistency',
    tag: 'Trust log',
    summary: 'Proof that the tree of `from` leaves is the beginning of the tree of `to` leaves (default: all).',
    caller: 'anyone',
    source: 'RFC 6962 §2.1.2',
    parameters: z.object({ from: z.int().min(0), to: z.int().min(0).optional() }),
    response: json(z.object({ from: z.int(), to: z.int(), hashes: z.array(Hash) })),
    reasons: ['bad_input', 'not_found'],
  },
  {
    method: 'GET',
    path: '/witness',
    tag: 'Witness',
    summary: 'The newest checkpoint that this registry has accepted for a log that it witnesses.',
    caller: 'anyone',
    parameters: Log,
    response: json(z.looseObject({ log: z.string() })),
    reasons: ['bad_input', 'forbidden'],
  },
  {
    method: 'POST',
    path: '/witness',
    tag: 'Witness',
    summary: 'Submit a newer checkpoint with a consistency proof from the last accepted checkpoint.',
    caller: 'anyone; only checkpoints signed by the log are accepted',
    parameters: Log,
    body: WitnessSubmission,
    isJson: true,
    response: json(z.looseObject({ log: z.string() })),
    reasons: ['bad_input', 'forbidden', 'conflict', 'unavailable'],
  },
  {
    method: 'POST',
    path: '/witness/add-checkpoint',
    tag: 'Witness',
    summary:
      'Cosign a checkpoint of a log that the operator has configured. The body is text: the old size, the consistency proof and the checkpoint. The response is the line of the cosignature; 409 names the size of the tree that was cosigned last (`text/x.tlog.size`).',
    caller: 'anyone; only checkpoints signed by the log are cosigned',
    source: 'C2SP tlog-witness',
    response: { type: 'text/plain' },
    reasons: ['bad_input', 'forbidden', 'not_found', 'conflict', 'checkpoint_inconsistent'],
  },
  {
    method: 'GET',
    path: '/witness/:originHash/checkpoint',
    tag: 'Witness',
    summary: 'The newest checkpoint that this registry has cosigned for a log. `originHash` is the SHA-256 of its origin in hex.',
    caller: 'anyone',
    source: 'C2SP tlog-witness',
    parameters: z.object({ originHash: z.string() }),
    response: { type: 'text/plain' },
    reasons: ['not_found'],
  },
]
