// Chapter 1: imports cards of every A2A version and prints the verdicts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chapter, claim, table } from './stage.js'

export async function importCards(admin) {
  chapter('1. Cards of every version are imported')
  const rows = [['file', 'state', 'signature', 'faults']]
  const counts = {}
  const importCard = async ({ folder, file }) => {
    const { agentId } = await admin.mutate('agents.register', { name: file.slice(0, 100) })
    const imported = await admin.mutate('cards.import', { agentId, card: readFileSync(new URL(file, folder), 'utf8') })
    counts[imported.state] = (counts[imported.state] ?? 0) + 1
    return imported
  }
  for (const card of cardsIn('../cards')) {
    const { state, verdict, faults } = await importCard(card)
    const why = faults.map(({ pointer, hint }) => `${pointer || '/'} ${hint}`).join('; ')
    rows.push([card.file, state, verdict?.state ?? '-', why.length > 90 ? `${why.slice(0, 90)}…` : why])
  }
  table(rows)
  // Every fifth one, because a member may send five requests per second: all of them would take 40 s
  const realCards = cardsIn('../../../shared/cards').filter((_, i) => i % 5 === 0)
  for (const card of realCards) await importCard(card)
  if (realCards.length > 0) console.log(`  and ${realCards.length} cards of real agents`)
  claim(
    ['accepted', 'normalised', 'legacy', 'nonconformant'].every((state) => counts[state] > 0),
    Object.entries(counts)
      .map(([state, count]) => `${count} ${state}`)
      .join(', '),
  )
}

function cardsIn(path) {
  const folder = new URL(`${path}/`, import.meta.url)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => /\.(json|txt)$/.test(file))
    .map((file) => ({ folder, file }))
}
