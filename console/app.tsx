import type { ComponentType } from 'preact'
import { useEffect, useReducer, useState } from 'preact/hooks'
import { LocationProvider, Route, Router, useLocation } from 'preact-iso'
import { type Connection, type Console, ConsoleContext, useConsole } from './api/console.js'
import { Overview } from './pages/overview/overview.js'
import { ROUTES } from './routes.js'
import { SessionEnded } from './ui/notes.js'
import { Page } from './ui/page.js'

interface NavigationItem {
  readonly path: string
  readonly label: string
  /** Absent: for everybody. */
  readonly roles?: readonly string[]
}

const STAFF = ['member', 'administrator', 'operator']
const ADMINISTRATORS = ['administrator', 'operator']

/** The pages in the navigation. Others are reached from these. */
const NAVIGATION: readonly NavigationItem[] = [
  { path: '/console', label: 'Overview' },
  { path: '/console/inbox', label: 'Inbox' },
  { path: '/console/reach', label: 'Who can call whom' },
  { path: '/console/agents', label: 'Agents' },
  { path: '/console/find', label: 'Find' },
  { path: '/console/tasks', label: 'Tasks' },
  { path: '/console/consents', label: 'Consents' },
  { path: '/console/clients', label: 'Clients', roles: STAFF },
  { path: '/console/resources', label: 'Resources', roles: STAFF },
  { path: '/console/members', label: 'Members', roles: ADMINISTRATORS },
  { path: '/console/providers', label: 'Sign-in providers', roles: STAFF },
  { path: '/console/namespaces', label: 'Namespaces', roles: STAFF },
  { path: '/console/audit', label: 'Audit', roles: ADMINISTRATORS },
  { path: '/console/log', label: 'Log' },
  { path: '/console/limits', label: 'Limits', roles: ADMINISTRATORS },
  { path: '/console/organisations', label: 'Organisations', roles: ['operator'] },
  { path: '/console/signing-keys', label: 'Signing keys', roles: ['operator'] },
]

const NotFound = () => <Page title="Page not found">Choose a page in the navigation.</Page>

/** The console: the navigation, and the page that the address names. */
export function App({ console }: { readonly console: Console }) {
  return (
    <ConsoleContext.Provider value={console}>
      <LocationProvider scope="/console">
        <div class="console">
          <Navigation />
          <Pages />
        </div>
      </LocationProvider>
    </ConsoleContext.Provider>
  )
}

/** The page that the address names. After the end of the session nothing of it stays visible. */
function Pages() {
  if (useConnection().hasEnded)
    return (
      <Page title="Signed out">
        <SessionEnded />
      </Page>
    )
  return (
    <Router>
      <Route path="/console" component={Overview} />
      {Object.entries(ROUTES).map(([path, component]) => (
        <Route key={path} path={path} component={component as ComponentType} />
      ))}
      <Route default component={NotFound} />
    </Router>
  )
}

function Navigation() {
  const { viewer } = useConsole()
  const { path } = useLocation()
  const own = `/console/members/${viewer.id}`
  const [isOpen, setOpen] = useState(false)
  useEffect(() => setOpen(false), [path])
  const isCurrent = (place: string) => path === place || (place !== '/console' && path !== own && path.startsWith(`${place}/`))
  return (
    <nav aria-label="Console" class={isOpen ? 'places open' : 'places'}>
      <button type="button" class="menu quiet small" aria-expanded={isOpen} aria-controls="places" onClick={() => setOpen(!isOpen)}>
        Pages
      </button>
      <ul id="places">
        {NAVIGATION.filter(({ roles }) => !roles || roles.includes(viewer.role)).map(({ path: place, label }) => (
          <li key={place}>
            <a href={place} aria-current={isCurrent(place) ? 'page' : undefined}>
              {label}
            </a>
          </li>
        ))}
        <li>
          <a href={own} aria-current={isCurrent(own) ? 'page' : undefined}>
            You
          </a>
        </li>
      </ul>
      <ConnectionState />
    </nav>
  )
}

/** Whether revocations reach this page. */
function ConnectionState() {
  const { isLive, hasEnded } = useConnection()
  if (hasEnded) return null
  return <output class="hint">{isLive ? 'Live: revocations appear immediately' : 'Connecting to the revocation feed…'}</output>
}

function useConnection(): Connection {
  const { connection } = useConsole()
  const [, render] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    const onChange = () => render(undefined)
    connection.addEventListener('change', onChange)
    return () => connection.removeEventListener('change', onChange)
  }, [connection])
  return connection
}
