import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { newResolver } from '../../../src/lib/hosts/resolver.js'

const TYPES = { 1: 'A', 16: 'TXT', 28: 'AAAA' } as const
type Type = (typeof TYPES)[keyof typeof TYPES]
/** The data of each record, or a response code: 2 for a failure, 3 for a name that does not exist. */
type Answers = Readonly<Record<string, Partial<Record<Type, readonly Buffer[] | 2>>>>

/** A name server (RFC 1035) on a free port, and the names that it was asked for. */
async function startNameServer(answers: Answers) {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (query, { port, address }) => {
    let end = 12
    const labels: string[] = []
    for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
      labels.push(query.toString('latin1', end + 1, end + 1 + length))
      end += length + 1
    }
    const question = query.subarray(12, end + 5)
    const type = TYPES[query.readUInt16BE(end + 1) as keyof typeof TYPES]
    const name = labels.join('.')
    asked.push(`${type} ${name}`)
    const found = Object.hasOwn(answers, name) ? (answers[name]?.[type] ?? []) : 3
    const records = typeof found === 'number' ? [] : found
    const header = Buffer.from([
      ...query.subarray(0, 2),
      0x81,
      0x80 | (typeof found === 'number' ? found : 0),
      0,
      1,
      0,
      records.length,
      0,
      0,
      0,
      0,
    ])
    const resources = records.map((data) => {
      const fixed = Buffer.from([0xc0, 12, ...query.subarray(end + 1, end + 5), 0, 0, 0, 60, data.length >> 8, data.length & 255])
      return Buffer.concat([fixed, data])
    })
    socket.send(Buffer.concat([header, question, ...resources]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    resolver: newResolver([`127.0.0.1:${socket.address().port}`]),
    asked,
    [Symbol.asyncDispose]: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

const texts = (...parts: readonly string[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)])))

const ANSWERS: Answers = {
  'both.acme.com': {
    A: [Buffer.from([8, 8, 8, 8]), Buffer.from([127, 0, 0, 1])],
    AAAA: [Buffer.from('260647004700000000000000000000aa', 'hex')],
    TXT: [texts('v=one'), texts('a'.repeat(255), 'rest')],
  },
  'four.acme.com': { A: [Buffer.from([8, 8, 4, 4])] },
  'half.acme.com': { A: [Buffer.from([8, 8, 4, 4])], AAAA: 2 },
  'broken.acme.com': { A: 2, AAAA: 2, TXT: 2 },
}

test('all addresses of both families are found, also those that are not public', async () => {
  await using server = await startNameServer(ANSWERS)
  expect(await server.resolver.addresses('both.acme.com')).toEqual(['8.8.8.8', '127.0.0.1', '2606:4700:4700::aa'])
  expect(await server.resolver.addresses('four.acme.com')).toEqual(['8.8.4.4'])
  expect(await server.resolver.addresses('half.acme.com')).toEqual(['8.8.4.4'])
  expect(await server.resolver.addresses('none.acme.com')).toEqual([])
})

test('the parts of a TXT record are joined; a name without records is no failure', async () => {
  await using server = await startNameServer(ANSWERS)
  expect(await server.resolver.txt('both.acme.com')).toEqual(['v=one', `${'a'.repeat(255)}rest`])
  expect(await server.resolver.txt('four.acme.com')).toEqual([])
  expect(await server.resolver.txt('none.acme.com')).toEqual([])
})

test('a name server that fails is told apart from a name without records', async () => {
  await using server = await startNameServer(ANSWERS)
  await expect(server.resolver.addresses('broken.acme.com')).rejects.toMatchObject({ reason: 'fetch_failed' })
  await expect(server.resolver.txt('broken.acme.com')).rejects.toMatchObject({ reason: 'fetch_failed' })
})

test('localhost is answered without a query', async () => {
  await using server = await startNameServer(ANSWERS)
  expect(await server.resolver.addresses('localhost.')).toEqual(['127.0.0.1', '::1'])
  expect(server.asked).toEqual([])
})
