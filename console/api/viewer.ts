import type { Role } from '../../src/http/caller.js'

/** The person whom the registry has written into the page. */
export interface Viewer {
  readonly id: string
  readonly orgId: string
  readonly name: string
  readonly role: Role
  readonly issuer: string
  /** The session of this browser. */
  readonly sessionId: string
  /** Scopes at the registry. */
  readonly scopes: readonly string[]
}

/** True for the roles that manage an organisation. An operator manages the registry too. */
export const isAdministrator = ({ role }: Pick<Viewer, 'role'>): boolean => role === 'administrator' || role === 'operator'

/** The element that the console renders into. */
export const ROOT_ID = 'console'

export function readViewer(): Viewer {
  const text = document.getElementById(ROOT_ID)?.dataset.viewer
  if (text === undefined) throw new Error('the page names no viewer')
  return JSON.parse(text) as Viewer // written by the registry (oauth/session/console-page.tsx)
}
