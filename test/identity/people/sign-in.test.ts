import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { newBrowser, signedIn } from './browser.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

test('a ticket of the command line signs a member in, who sees their page', async () => {
  const browser = await signedIn(registry, acme)
  const you = await browser.get('/you')
  expect(you.status).toBe(200)
  expect(you.text).toContain('Signed in as')
  expect(you.text).toContain("Acme's administrator")
})

test('a page leads a visitor to the sign-in and, after it, back', async () => {
  const browser = newBrowser(registry.issuer)
  const sent = await browser.get('/you?a=1')
  expect(sent).toMatchObject({ status: 303, location: '/sign-in' })
  const { ticket } = await acme.mutate<{ ticket: string }>('sessions.ticket', undefined)
  const offered = await browser.submit(await browser.follow(sent), '/sign-in/ticket', { ticket })
  const done = await browser.submit(await browser.follow(offered), '/sign-in/confirm')
  expect(done).toMatchObject({ status: 303, location: '/you?a=1' })
})
