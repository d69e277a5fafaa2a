import type { VNode } from 'preact'
import { page } from '../../http/pages/page.js'
import type { Route } from '../../http/route.js'
import { personPage } from './person-routes.js'
import type { PersonCaller } from './session.js'
import { HOME, type SignInDeps } from './sign-in.js'

/** A part of the page of a person, with a heading of its own, or nothing. Each feature provides its own part; server/services.ts lists them. */
export type AccountSection = (person: PersonCaller) => Promise<VNode | null>

/** The home of a person: what belongs to them, part by part. */
export const youPage = (deps: SignInDeps, sections: readonly AccountSection[]): Route =>
  personPage(deps, HOME, async (person) => {
    const parts = await Promise.all(sections.map((section) => section(person)))
    return page({ title: 'Your account', viewer: person }, parts)
  })
