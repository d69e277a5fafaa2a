// CPU of exchange, introspection and revocation with few and with many records, and the start time with many.
import { rmSync } from 'node:fs'
import { aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { newFolder } from './lib/open.js'
import { median } from './lib/report.js'

const idOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).jti

export async function run(report) {
  const [sizes, rounds, count, descendants] = report.isQuick ? [[50, 200], 1, 4, 20] : [[1000, 100_000, 1_000_000], 7, 150, 10_000]
  report.say(`growth: ${sizes.join(', ')} token records and ended handles, ${rounds} rounds of ${count}`)
  const folder = newFolder()
  const child = await startChild('growth.js', { folder })
  const { ocr, planner } = await aPair(await newCast(child.facts), child.facts.issuer)
  const exchange = () => planner.exchange({ audience: ocr.audience })
  const cpuOf = async (work) => {
    const before = await child.ask('cpu')
    for (let i = 0; i < count; i++) await work(i)
    return ((await child.ask('cpu')) - before) / count
  }
  const template = idOf((await exchange()).accessToken)
  const medians = {}
  let seeded = 0
  for (const size of sizes) {
    await child.ask('records', { tokenId: template, count: size - seeded })
    await child.ask('ended', size - seeded)
    seeded = size
    report.say(`${size} records and handles are seeded`)
    const results = { exchange: [], introspection: [], revocation: [] }
    for (let round = -1; round < rounds; round++) {
      const accessTokens = []
      const exchanged = await cpuOf(async () => accessTokens.push((await exchange()).accessToken))
      const introspected = await cpuOf((i) => ocr.introspect(accessTokens[i]))
      const revoked = await cpuOf((i) => planner.revoke(accessTokens[i]))
      if (round < 0) continue
      results.exchange.push(exchanged)
      results.introspection.push(introspected)
      results.revocation.push(revoked)
    }
    for (const [name, values] of Object.entries(results)) {
      medians[`${name} ${size}`] = median(values)
      report.figure(`${name} at ${size.toExponential()}, CPU`, median(values), 'µs')
    }
  }
  const [least, most] = [sizes[0], sizes.at(-1)]
  for (const name of ['exchange', 'introspection', 'revocation'])
    report.goal(`${name}: ${most.toExponential()} / ${least.toExponential()}`, medians[`${name} ${most}`] / medians[`${name} ${least}`], {
      atMost: 1.25,
    })

  const [roots, leaves] = [[], []]
  for (let i = 0; i < rounds; i++) {
    const [root, leaf] = [(await exchange()).accessToken, (await exchange()).accessToken]
    await child.ask('records', { tokenId: template, count: descendants, parent: idOf(root) })
    // Seeding causes background work, which these revocations let finish. Root and leaf alternate in going first
    for (let j = 0; j < (report.isQuick ? 2 : 20); j++) await planner.revoke((await exchange()).accessToken)
    const pair = [
      [root, roots],
      [leaf, leaves],
    ]
    for (const [token, list] of i % 2 === 0 ? pair : pair.reverse()) {
      const before = await child.ask('cpu')
      await planner.revoke(token)
      list.push((await child.ask('cpu')) - before)
    }
  }
  report.goal(`revocation of a root of ${descendants} / of a leaf`, median(roots) / median(leaves), { atMost: 1.25 })
  await child.ask('close')
  await child.stop()
  const again = await startChild('growth.js', { folder })
  report.figure(`start with ${most.toExponential()} ended`, again.facts.startMs, 'ms')
  report.figure(`memory with ${most.toExponential()} ended`, (await again.ask('memory')) / 2 ** 20, 'MiB')
  await again.stop()
  rmSync(folder, { recursive: true, force: true })
}
