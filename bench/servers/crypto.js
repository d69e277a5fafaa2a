// The bare cryptography of an exchange: three verifications and one signature, with imported keys.
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { serveCalls } from '../lib/child.js'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const data = Buffer.alloc(600, 'x')
const signKey = { key: privateKey, dsaEncoding: 'ieee-p1363' }
const verifyKey = { key: publicKey, dsaEncoding: 'ieee-p1363' }
const signature = sign('sha256', data, signKey)
serveCalls(
  {},
  {
    run: ({ rounds, checks, signatures }) => {
      for (let i = 0; i < rounds; i++) {
        for (let j = 0; j < checks; j++) if (!verify('sha256', data, verifyKey, signature)) throw new Error('not verified')
        for (let j = 0; j < signatures; j++) sign('sha256', data, signKey)
      }
    },
  },
)
