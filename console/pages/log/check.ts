// Checks of the trust log that run in this page, with the code of the verifier. The registry only sends bytes: what is wrong with them shows here.
import { sha256 } from '#crypto'
import {
  isConsistent,
  type LogSource,
  parseCheckpoint,
  readCheckpoint,
  readEntryTexts,
  readInclusion,
} from '../../../src/client/log/log.js'
import { fetchRegistryKeys } from '../../../src/client/registry.js'
import type { Checkpoint } from '../../../src/credentials/checkpoint.js'
import { base64url, equalBytes, fromBase64url } from '../../../src/lib/bytes.js'
import { Entry } from '../../../src/protocol/log/entry.js'
import { hashLeaf } from '../../../src/protocol/log/merkle.js'

/** One check, with the values that it compared. `unknown`: it could not be made. */
export interface Step {
  readonly title: string
  readonly outcome: 'proved' | 'wrong' | 'unknown'
  readonly facts?: Readonly<Record<string, string>>
  readonly text?: string
  /** The path from the leaf to the root. */
  readonly path?: readonly { readonly side: 'left' | 'right'; readonly sibling: string; readonly hash: string }[]
}

type Newest = Checkpoint & { readonly note: string }

export async function openLog(issuer: string): Promise<LogSource> {
  const fetch = globalThis.fetch.bind(globalThis)
  return { issuer, fetch, keys: await fetchRegistryKeys(issuer, 'log', fetch) }
}

/** Checks the signature of the newest checkpoint. The checkpoint is absent if it is wrong. */
export async function checkCheckpoint(source: LogSource): Promise<{ readonly step: Step; readonly newest?: Newest }> {
  const title = 'A key of the registry signed the newest checkpoint'
  try {
    const newest = await readCheckpoint(source)
    const { origin, size, root, jkt } = newest
    return { newest, step: { title, outcome: 'proved', facts: { log: origin, entries: String(size), root, 'signed by the key': jkt } } }
  } catch (error) {
    return { step: { title, outcome: 'wrong', text: textOf(error) } }
  }
}

const FIRST = 'credence-first-checkpoint'

/** Compares the newest checkpoint with the one that this tab saw first. It is public, so the browser may keep it until the tab closes. */
export async function checkHistory(source: LogSource, newest: Newest): Promise<Step> {
  const title = 'The log has only grown since this tab first saw it'
  const note = sessionStorage.getItem(FIRST) ?? newest.note
  sessionStorage.setItem(FIRST, note)
  try {
    const first = await parseCheckpoint(note, source)
    const facts = {
      'entries then': String(first.size),
      'root then': first.root,
      'entries now': String(newest.size),
      'root now': newest.root,
    }
    if (first.epoch !== newest.epoch)
      return {
        title,
        outcome: 'unknown',
        facts,
        text: `The registry began a new epoch, ${newest.epoch}: its store was restored. No proof joins two epochs.`,
      }
    const isSame = await isConsistent(source, first, newest)
    return isSame
      ? { title, outcome: 'proved', facts }
      : {
          title,
          outcome: 'wrong',
          facts,
          text: 'The registry shows a different history than before. Keep both roots and tell its operator.',
        }
  } catch (error) {
    return { title, outcome: 'wrong', text: textOf(error) }
  }
}

/** Reads the exact bytes of an entry, and checks that the log of the checkpoint contains them. */
export async function checkEntry(
  source: LogSource,
  seq: number,
  newest: Newest | undefined,
): Promise<{ readonly text?: string; readonly steps: readonly Step[] }> {
  const [text] = await readEntryTexts(source, seq, 1)
  if (text === undefined) return { steps: [] }
  const leaf = hashLeaf(sha256, text)
  const isAsked = numberOf(text) === seq
  const steps: Step[] = [
    {
      title: `The bytes are entry ${seq}`,
      outcome: isAsked ? 'proved' : 'wrong',
      facts: { 'leaf hash, SHA-256(0x00 ‖ bytes)': base64url(leaf) },
    },
  ]
  const included = newest === undefined ? notIncluded('The checkpoint is invalid.') : await checkInclusion(source, seq, leaf, newest)
  return { text, steps: [...steps, included] }
}

const INCLUDED = 'The log of the checkpoint contains the entry'
const notIncluded = (text: string): Step => ({ title: INCLUDED, outcome: 'unknown', text })

async function checkInclusion(source: LogSource, seq: number, leaf: Uint8Array, { size, root }: Checkpoint): Promise<Step> {
  try {
    const { index, steps: found } = await readInclusion(source, seq, leaf, size)
    const computed = found && (found.at(-1)?.hash ?? leaf)
    const isProved = computed !== undefined && equalBytes(computed, fromBase64url(root) ?? new Uint8Array())
    return {
      title: INCLUDED,
      outcome: isProved ? 'proved' : 'wrong',
      facts: {
        'leaf number': `${index} of ${size}`,
        'computed root': computed === undefined ? 'none: the path has the wrong length' : base64url(computed),
        'root of the checkpoint': root,
      },
      ...(found && { path: found.map(({ side, sibling, hash }) => ({ side, sibling: base64url(sibling), hash: base64url(hash) })) }),
      ...(!isProved && {
        text: 'The proof does not lead to the signed root: the registry may be showing you a different log than it shows others.',
      }),
    }
  } catch (error) {
    return notIncluded(`${textOf(error)}. Entries of earlier epochs have no proof in the current tree.`)
  }
}

function numberOf(text: string): number | undefined {
  try {
    return Entry.parse(JSON.parse(text)).seq
  } catch {
    return undefined
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
