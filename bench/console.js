// The web console in Chromium: the bundle of the first page, the time until rows are shown, a list of 10,000 rows, memory over 1,000 events.
// CREDENCE_TEST_CHROMIUM names the browser; without one only the bundle is measured.
import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { median, percentile } from './lib/report.js'

const DIST = new URL('../dist/console/', import.meta.url)
const CHROMIUM =
  process.env.CREDENCE_TEST_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const KB = 1024
/** Pixels that the list moves in each frame: about ten rows. */
const STEP_PX = 640

export async function run(report) {
  report.goal(
    'bundle of the first page, gzip',
    firstFiles().reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, DIST))).length, 0) / KB,
    {
      atMost: 250,
    },
  )
  if (CHROMIUM === undefined) return report.say('no Chromium here: nothing but the bundle was measured')
  const [rows, rounds, events] = report.isQuick ? [150, 1, 5] : [10_000, 15, 1000]
  report.say(`console: ${rows} agents, ${rounds} rounds, ${events} events`)
  const child = await startChild('console.js')
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--js-flags=--expose-gc'] })
  try {
    const cast = await newCast(child.facts)
    const { agentId } = await cast.agent('first')
    const seeded = await child.ask('seed', { agentId, count: rows })
    await cast.admin.mutate('agents.revoke', { agentId: seeded[0] })
    const world = { report, browser, issuer: child.facts.issuer, admin: cast.admin, state: await signIn(browser, cast.admin) }
    await measureFirstPage(world, rounds)
    await measureRows(world, rows)
    await measureFilters(world, rows, rounds)
    await measureMemory(world, events)
  } finally {
    await browser.close()
    await child.stop()
  }
}

/** The files that `/console` loads before its first page is shown, by the manifest of Vite. */
function firstFiles() {
  const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', DIST), 'utf8'))
  const files = new Set()
  const add = (name) => {
    const { file, imports = [], css = [] } = manifest[name]
    if (files.has(file)) return
    for (const one of [file, ...css]) files.add(one)
    imports.forEach(add)
  }
  for (const [name, { isEntry }] of Object.entries(manifest)) if (isEntry) add(name)
  return [...files]
}

/** Signs the administrator in. Returns the cookies of the session. */
async function signIn(browser, admin) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const { url } = await admin.mutate('sessions.ticket', { returnTo: '/console' })
  await page.goto(url)
  await page.waitForURL('**/sign-in/confirm')
  await page.click('main button')
  await page.waitForURL('**/console')
  const state = await context.storageState()
  await context.close()
  return state
}

const openPage = async ({ browser, state }) => (await browser.newContext({ storageState: state })).newPage()

/** Opens an address in a browser with an empty cache. Returns the milliseconds from the start of the navigation to the frame that shows `selector`. */
async function timeToShow(world, path, selector) {
  const page = await openPage(world)
  await page.goto(world.issuer + path, { waitUntil: 'commit' })
  await page.waitForSelector(selector)
  const ms = await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now()))))
  await page.context().close()
  return ms
}

async function measureFirstPage(world, rounds) {
  const [console, floor, overview] = [[], [], []]
  for (let round = -1; round < rounds; round++) {
    const plain = await timeToShow(world, '/you', 'h1')
    const list = await timeToShow(world, '/console/agents', 'main .rows li')
    const first = await timeToShow(world, '/console', 'main h1')
    if (round < 0) continue
    floor.push(plain)
    console.push(list)
    overview.push(first)
  }
  const { report } = world
  report.figure('a page without script: heading shown, p50', median(floor), 'ms')
  report.figure('the overview: heading shown, p50', median(overview), 'ms')
  report.figure('the list of agents: first rows shown, p50', median(console), 'ms')
  report.goal('first rows / a page without script, p50', median(console) / median(floor), { atMost: 5 })
}

/** Scrolls to the end of the list while its pages are read, and once more over all rows. */
async function measureRows(world, rows) {
  const { report } = world
  const page = await openPage(world)
  await page.goto(`${world.issuer}/console/agents`)
  await page.waitForSelector('main .rows li')
  const reading = await page.evaluate(scrollToEnd, STEP_PX)
  const seen = await page.evaluate(() => Number(document.querySelector('.rows li:last-child').getAttribute('aria-posinset')))
  if (seen < rows) throw new Error(`the list ended after ${seen} rows`)
  await page.evaluate(() => document.querySelector('.rows').scrollTo(0, 0))
  const again = await page.evaluate(scrollToEnd, STEP_PX * 4)
  for (const [name, frames] of [
    ['while the pages are read', reading],
    ['over all rows', again],
  ]) {
    report.figure(`scrolling ${name}: frame, p50`, median(frames), 'ms')
    report.goal(`scrolling ${name}: frame, p99, ms`, percentile(frames, 0.99), { atMost: 100 })
    report.figure(`scrolling ${name}: longest frame`, Math.max(...frames), 'ms')
  }
  await page.context().close()
}

/** Runs in the page. Scrolls by so many pixels in each frame, to the end of the list. Returns the milliseconds between frames. */
async function scrollToEnd(stepPx) {
  const scroller = document.querySelector('.rows')
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  const isAtEnd = () => scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 1
  const hasMore = () => document.querySelector('.rows li')?.getAttribute('aria-setsize') === '-1'
  const frames = []
  let before = await frame()
  while (!isAtEnd() || hasMore()) {
    scroller.scrollBy(0, stepPx)
    const now = await frame()
    frames.push(now - before)
    before = now
  }
  return frames
}

/** The time from a change of a filter until the rows that it selects are shown. Each name selects one agent, anywhere in the list. */
async function measureFilters(world, rows, rounds) {
  const { report } = world
  const page = await openPage(world)
  const times = { 'filter by name': [], 'filter by state': [] }
  for (let round = -1; round < rounds; round++) {
    // A page keeps results, so each round has a new one
    await page.goto(`${world.issuer}/console/agents`)
    await page.waitForSelector('main .rows li')
    const first = rows / 10
    const name = `Agent ${first + (((round + 1) * 577) % (rows - first))}`
    const filters = {
      'filter by state': { control: '[name=state]', type: 'change', value: 'revoked', expected: 'revoked' },
      'filter by name': { control: '[name=name]', type: 'input', value: name, expected: name },
    }
    const byState = await page.evaluate(timeToFilter, filters['filter by state'])
    await page.evaluate(timeToFilter, { ...filters['filter by state'], value: '', expected: 'first' })
    const byName = await page.evaluate(timeToFilter, filters['filter by name'])
    if (round < 0) continue
    times['filter by state'].push(byState)
    times['filter by name'].push(byName)
  }
  for (const [filter, ms] of Object.entries(times)) {
    report.goal(`${filter}: first rows shown, p50, ms`, median(ms), { atMost: 100 })
    report.figure(`${filter}: first rows shown, slowest`, Math.max(...ms), 'ms')
  }
  await page.context().close()
}

/** Runs in the page. Changes a control, and waits for the frame in which the first row has the expected text. */
async function timeToFilter({ control, type, value, expected }) {
  const element = document.querySelector(control)
  const startedAt = performance.now()
  element.value = value
  element.dispatchEvent(new Event(type, { bubbles: true }))
  while (!document.querySelector('.rows li')?.textContent.includes(expected)) await new Promise((resolve) => requestAnimationFrame(resolve))
  return performance.now() - startedAt
}

/** The heap of the page after garbage collections, before and after events that change what it shows: tasks that begin and end. */
async function measureMemory(world, events) {
  const { report, admin } = world
  const page = await openPage(world)
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('HeapProfiler.enable')
  const heap = async () => {
    for (let i = 0; i < 3; i++) await cdp.send('HeapProfiler.collectGarbage')
    return (await cdp.send('Runtime.getHeapUsage')).usedSize / KB
  }
  const endTasks = async (count) => {
    for (let i = 0; i < count; i++) {
      const { taskId } = await admin.tasks.create({ description: `task ${i}` })
      await admin.tasks.end(taskId)
    }
    // Of the tasks of one second, any may be the first of the list
    const [{ taskId }] = (await admin.tasks.list({ limit: 1 })).items
    await page.waitForSelector(`main .rows li:first-child:has(a[href$="${taskId}"]) .state:has-text("ended")`)
  }
  await admin.tasks.create({ description: 'the first task' })
  await page.goto(`${world.issuer}/console/tasks`)
  await page.waitForSelector('nav output:has-text("Live")')
  // The first events fill caches
  await endTasks(Math.ceil(events / 10))
  const before = await heap()
  await endTasks(Math.ceil(events / 2))
  const after = await heap()
  report.figure('heap of the page', before, 'KB')
  report.figure(`heap after ${events} events`, after, 'KB')
  report.goal('growth of the heap, KB', after - before, { atMost: Math.max(2 * KB, before * 0.05) })
  await page.context().close()
}
