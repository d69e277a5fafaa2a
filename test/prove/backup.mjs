// Backs up a registry under load, and kills the backup command or the registry with SIGKILL meanwhile. What has the name of a backup must be one:
// its restored copy holds everything that was acknowledged before the backup began.
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { spawnNode } from '../child.mjs'
import { programFile } from '../program.mjs'
import { countOf, newCast, nothingAcknowledged, startRegistry, stopRegistry, work } from './kills.mjs'
import { claimsOf, freePort, newDice, pause } from './tools.mjs'

/** Makes a copy take long enough to be killed in the middle. */
const FILLER_BYTES = 64 * 1024 * 1024

/** The kinds of rounds, in turn: what is killed during the backup. */
const KILLED = ['the command', 'nothing', 'the registry']

function credence(args) {
  const child = spawnNode([programFile(), 'admin', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  return { child, ended: once(child, 'close').then(([code]) => ({ code, err })) }
}

function fill(file) {
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE filler (bytes BLOB)')
  const insert = db.prepare('INSERT INTO filler VALUES (randomblob(1048576))')
  for (let bytes = 0; bytes < FILLER_BYTES; bytes += 1_048_576) insert.run()
  db.close()
}

const copyOf = (acknowledged) =>
  Object.fromEntries(Object.entries(acknowledged).map(([name, value]) => [name, value instanceof Set ? new Set(value) : value]))

/** What a store lacks of what was acknowledged. */
function missingIn(file, { ocr }, { version, introductions, revokedIntroductions, tokens, revoked }) {
  const db = new DatabaseSync(file)
  try {
    const has = (collection, key) => db.prepare(`SELECT 1 FROM "docs/${collection}" WHERE key = ?`).get(key) !== undefined
    const isInLog = (handle) => db.prepare('SELECT 1 FROM log_blocks WHERE instr(block, ?) > 0').get(handle) !== undefined
    const card = db.prepare(`SELECT doc FROM "docs/cards" WHERE key = ?`).get(ocr.agentId)
    const handleOf = (id) => JSON.parse(db.prepare(`SELECT doc FROM "docs/introductions" WHERE key = ?`).get(id)?.doc ?? '{}').handle
    return [
      ...(JSON.parse(card?.doc ?? '{"version":0}').version >= version ? [] : [`version ${version} of the card`]),
      ...[...introductions, ...revokedIntroductions].filter((id) => !has('introductions', id)).map((id) => `introduction ${id}`),
      ...[...tokens, ...revoked].map((token) => claimsOf(token).jti).filter((jti) => !has('tokens', jti)),
      ...[...revoked]
        .map((token) => claimsOf(token).jti.replace('tok_', 'tok:'))
        .filter((handle) => !isInLog(handle))
        .map((handle) => `the revocation of ${handle}`),
      ...[...revokedIntroductions].filter((id) => !isInLog(handleOf(id) ?? '-')).map((id) => `the revocation of ${id}`),
    ]
  } finally {
    db.close()
  }
}

/** Puts the copy in place of a store, checks and restores it, and compares it with what was acknowledged. */
async function faultsOfCopy({ copy, data, folder, cast, before }) {
  const restored = join(folder, 'restored')
  rmSync(restored, { recursive: true, force: true })
  mkdirSync(restored, { mode: 0o700 })
  copyFileSync(copy, join(restored, 'credence.db'))
  const witness = join(restored, 'witness.json')
  copyFileSync(join(data, 'witness.json'), witness)
  const check = await credence(['check', '--data', restored]).ended
  const restore = await credence(['restore', '--data', restored, '--witness', witness, '--quarantine']).ended
  return [
    ...[check, restore].filter(({ code }) => code !== 0).map(({ err }) => err),
    ...missingIn(join(restored, 'credence.db'), cast, before).map((text) => `${text} is missing`),
  ]
}

/** Runs the rounds on the same data. Reports each by `say`. */
export async function runBackups({ rounds, seed = 1, say = () => {} }) {
  const dice = newDice(seed)
  const folder = await mkdtemp(join(tmpdir(), 'credence-backup-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const data = join(folder, 'data')
  const start = () => startRegistry({ data, port, logLevel: 'info' })
  let registry = await start()
  const faults = []
  const figures = { acknowledged: 0, backups: 0, killed: 0, 'requests during a backup': 0 }
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    await stopRegistry(registry)
    fill(join(data, 'credence.db'))
    registry = await start()
    for (let round = 1; round <= rounds; round++) {
      const killed = KILLED[(round - 1) % KILLED.length]
      const acknowledged = nothingAcknowledged()
      let isOver = false
      const working = work(cast, issuer, acknowledged, () => isOver)
      const enough = 3 + dice() * 25
      for (const until = performance.now() + 5000; countOf(acknowledged) < enough && performance.now() < until; ) await pause(5)
      const before = copyOf(acknowledged)
      const copy = join(folder, `${round}.db`)
      const begun = registry.log().split('has begun').length
      const command = credence(['backup', copy, '--data', data])
      if (killed !== 'nothing') {
        const hasBegun = () => registry.log().split('has begun').length > begun
        for (const until = performance.now() + 10_000; !hasBegun() && performance.now() < until; ) await pause(2)
        await pause(dice() * 100)
        command.child.exitCode ?? figures.killed++
        if (killed === 'the command') command.child.kill('SIGKILL')
        else await stopRegistry(registry, 'SIGKILL')
      }
      const { code, err } = await command.ended
      figures['requests during a backup'] += countOf(acknowledged) - countOf(before)
      if (killed === 'nothing' && code !== 0) faults.push(`round ${round}: the backup failed: ${err}`)
      if (code === 0 && !existsSync(copy)) faults.push(`round ${round}: there is no backup`)
      isOver = true
      if (killed === 'the registry') registry = await start()
      await working
      const found = existsSync(copy) ? await faultsOfCopy({ copy, data, folder, cast, before }) : []
      if (existsSync(copy)) figures.backups++
      figures.acknowledged += countOf(before)
      faults.push(...found.map((fault) => `round ${round}: ${fault}`))
      say(`round ${round}: killed ${killed}, ${existsSync(copy) ? 'a backup' : 'no backup'}, ${found.join('; ') || 'nothing missing'}`)
      rmSync(copy, { force: true })
    }
    await stopRegistry(registry)
    for (const name of await readdir(data)) if (name.endsWith('.sock')) faults.push(`end: ${name} is left`)
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  return { figures, faults }
}
