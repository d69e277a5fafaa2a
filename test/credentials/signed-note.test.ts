import { expect, test } from 'vitest'
import { cosign, findCosignature, readVerifierKey, verifierKeyOf } from '../../src/credentials/cosignature.js'
import { newPrivateJwk, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { COSIGNER_KEY, isSignatureOf, NOTE_KEY, parseNote, signaturesBy, signerOf, signNote } from '../../src/credentials/signed-note.js'

// The example of C2SP signed-note
const KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const NOTE =
  'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'
const newEd25519Signer = async () => signerFromJwk(await newPrivateJwk('EdDSA'))

test('the verifier key of the specification verifies its note, and is made again from the key', async () => {
  const key = readVerifierKey(KEY, NOTE_KEY)
  const note = parseNote(NOTE)
  if (typeof key === 'string' || note === undefined) throw new Error('the example is not read')
  const [found] = signaturesBy(note, key.name, key.keyId)
  expect(await isSignatureOf(key.key, found?.signature ?? new Uint8Array(), Buffer.from(note.text))).toBe(true)
  expect(verifierKeyOf(key.name, key.key.jwk, NOTE_KEY)).toBe(KEY)
})

test.each([
  ['another key id', KEY.replace('530d903a', '530d903b'), /has the key id 530d903b, but/],
  ['another name', KEY.replace('foo', 'bar'), /has the key id/],
  ['no name', KEY.replace('example.com/foo', ''), /must be a verifier key/],
  ['a space in the name', KEY.replace('/foo', ' foo'), /must be a verifier key/],
  ['a cut key', KEY.slice(0, -4), /must be an Ed25519 key of a log/],
  ['text', 'foo', /must be a verifier key/],
])('a verifier key with %s is refused', (_, text, reason) => {
  expect(readVerifierKey(text, NOTE_KEY)).toMatch(reason)
})

test('a key of a log is refused where the key of a witness is needed', () => {
  expect(readVerifierKey(KEY, COSIGNER_KEY)).toMatch('must be an Ed25519 key for cosignatures')
})

test.each([
  ['no signature', 'text\n'],
  ['no newline at its end', NOTE.trimEnd()],
  ['a control character', NOTE.replace('example message', 'example\tmessage')],
  ['a malformed signature line', `${NOTE}— example.com/foo\n`],
  ['more than 16 signatures', NOTE + NOTE.slice(NOTE.indexOf('—')).repeat(16)],
  ['base64 that is not canonical', NOTE.replace('aQM=', 'aQN=')],
])('a note with %s is not a note', (_, note) => {
  expect(parseNote(note)).toBeUndefined()
})

test('signatures of unknown keys are ignored, and one wrong signature of a known key spoils the note', async () => {
  const [known, other] = [await newEd25519Signer(), await newEd25519Signer()]
  const keys = [{ jwk: known.publicJwk, alg: known.alg }]
  const signed = await signNote('text\n', 'log.test', [known, other])
  const note = parseNote(signed)
  if (note === undefined) throw new Error('not a note')
  expect((await signerOf(note, 'log.test', keys))?.jwk).toEqual(known.publicJwk)
  expect(await signerOf(note, 'another.test', keys)).toBeUndefined()
  const [line] = (await signNote('other\n', 'log.test', [known])).split('\n').slice(-2)
  const spoilt = parseNote(`${signed}${line}\n`)
  expect(spoilt && (await signerOf(spoilt, 'log.test', keys))).toBeUndefined()
})

test('a cosignature covers its time and the text of the checkpoint', async () => {
  const signer = await newEd25519Signer()
  const key = readVerifierKey(verifierKeyOf('w.test', signer.publicJwk, COSIGNER_KEY), COSIGNER_KEY)
  if (typeof key === 'string') throw new Error(key)
  const line = await cosign('log.test\n1\nAAAA\n', 'w.test', signer, 1_700_000_000)
  expect(await findCosignature(`log.test\n1\nAAAA\n\n${line}`, key)).toEqual({ name: 'w.test', at: 1_700_000_000, line })
  expect(await findCosignature(`log.test\n2\nAAAA\n\n${line}`, key)).toBeUndefined()
  const encoded = line.split(' ')[2]?.trim() ?? ''
  const bytes = Buffer.from(encoded, 'base64')
  bytes[11] = (bytes[11] ?? 0) ^ 1 // the last byte of the time
  expect(await findCosignature(`log.test\n1\nAAAA\n\n${line.replace(encoded, bytes.toString('base64'))}`, key)).toBeUndefined()
})
