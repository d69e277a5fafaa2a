// `credence log verify`: the CPU of the client and of the registry together, over a log with few large entries and over one with many small ones,
// compared with hashing and parsing the same bytes.
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { fetchRegistryKeys, verifyWholeLog } from 'credence/client'
import { startChild } from './lib/child.js'
import { newFolder } from './lib/open.js'
import { median } from './lib/report.js'

export async function run(report) {
  const rounds = report.isQuick ? 1 : 9
  const logs = report.isQuick
    ? [{ entries: 4, endings: 500, atMost: 2 }]
    : [
        { entries: 100, endings: 10_000, atMost: 2 },
        { entries: 10, endings: 10_000 },
        { entries: 20_000, endings: 1 },
      ]
  for (const { entries, endings, atMost } of logs) {
    const name = `${entries} × ${endings} endings`
    report.say(`log-verify, ${name}: ${rounds} rounds`)
    const folder = newFolder()
    const writer = await startChild('log.js', { folder })
    await writer.ask('append', { entries, endings })
    await writer.stop()
    // Another process, because the one that appended a million endings still has the newest entries in memory
    const registry = await startChild('log.js', { folder })
    const { issuer } = registry.facts
    const keys = await fetchRegistryKeys(issuer, 'log')
    const pages = await readPages(issuer)
    const megabytes = pages.reduce((sum, { length }) => sum + length, 0) / 1e6
    const results = { floor: [], client: [], server: [], ratio: [] }
    for (let round = -1; round < rounds; round++) {
      const floor = await cpuOf(() => hashAndParse(pages))
      const before = await registry.ask('cpu')
      const client = await cpuOf(() => verifyWholeLog({ issuer, keys }))
      const server = ((await registry.ask('cpu')) - before) / 1000
      if (round < 0) continue
      for (const [measure, value] of Object.entries({ floor, client, server, ratio: (client + server) / floor }))
        results[measure].push(value)
    }
    report.figure(`${name}: size`, megabytes, 'MB')
    report.figure(`${name}: hash and parse`, median(results.floor) / megabytes, 'ms/MB')
    report.figure(`${name}: client`, median(results.client) / megabytes, 'ms/MB')
    report.figure(`${name}: registry`, median(results.server) / megabytes, 'ms/MB')
    const ratio = [`${name}: verify / hash and parse`, median(results.ratio)]
    if (atMost === undefined) report.figure(...ratio)
    else report.goal(...ratio, { atMost })
    await registry.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function readPages(issuer) {
  const pages = []
  for (let from = 0; ; ) {
    const response = await fetch(`${issuer}/log/entries?from=${from}&limit=1000`)
    const page = Buffer.from(await response.arrayBuffer())
    const { entries } = JSON.parse(page)
    if (entries.length === 0) return pages
    pages.push(page)
    from += entries.length
  }
}

function hashAndParse(pages) {
  for (const page of pages) {
    createHash('sha256').update(page).digest()
    JSON.parse(page.toString())
  }
}

/** Milliseconds of this process. */
async function cpuOf(work) {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
