import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import type { HttpResponse } from '../route.js'
import { Foreign } from './foreign.js'
import { Form, ScriptToken } from './form.js'
import { html } from './html.js'
import { STYLE_PATH } from './style.js'

/** The person who is signed in, as the head of a page shows them. */
interface PageViewer {
  readonly name: string
  readonly formKey: string
}

interface PageOptions {
  readonly title: string
  readonly viewer?: PageViewer | undefined
  /** Default: 200. */
  readonly status?: number
  readonly cookies?: readonly string[] | undefined
  /** Paths of scripts (`staticFile`). A page must work without them. */
  readonly scripts?: readonly string[]
  /** Origins or schemes, besides this registry, to which a form of the page may lead. */
  readonly formAction?: readonly string[]
}

/** A page of the registry. Texts are escaped; show those of others by `Foreign`. */
export function page(options: PageOptions, children: ComponentChildren): HttpResponse {
  const { status = 200, cookies, formAction } = options
  return { ...html(status, pageText(options, children), {}, formAction), ...(cookies && { cookies }) }
}

/** A page whose script renders all of `main`, from what the registry gives it in `data-viewer`. */
export const scriptPage = ({
  id,
  viewer,
  data,
  scripts,
  styles,
}: {
  id: string
  viewer: PageViewer
  data: object
  scripts: readonly string[]
  styles: readonly string[]
}): HttpResponse =>
  html(
    200,
    `<!doctype html>${renderToString(
      <html lang="en">
        <Head title="Console" viewer={viewer} scripts={scripts} styles={styles} />
        <body class="wide">
          <Header viewer={viewer} />
          <div id={id} data-viewer={JSON.stringify(data)}>
            <noscript>
              The console needs JavaScript. <a href="/you">Your account</a> works without it.
            </noscript>
          </div>
        </body>
      </html>,
    )}`,
  )

/** The text of a page, for a response whose headers somebody else makes. */
export const pageText = (options: Pick<PageOptions, 'title' | 'viewer' | 'scripts'>, children: ComponentChildren): string =>
  `<!doctype html>${renderToString(<Document {...options}>{children}</Document>)}`

type HeadProps = Pick<PageOptions, 'title' | 'viewer' | 'scripts'> & { readonly styles?: readonly string[] }

const Head = ({ title, viewer, scripts = [], styles = [] }: HeadProps) => (
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>{`${title} – Credence`}</title>
    {[STYLE_PATH, ...styles].map((href) => (
      <link key={href} rel="stylesheet" href={href} />
    ))}
    {viewer && <ScriptToken formKey={viewer.formKey} />}
    {scripts.map((src) => (
      <script key={src} type="module" src={src} />
    ))}
  </head>
)

const Header = ({ viewer }: Pick<PageOptions, 'viewer'>) => (
  <>
    <a class="skip" href="#content">
      Skip to the content
    </a>
    <header>
      <span class="name">Credence</span>
      {viewer && (
        <>
          <span>
            Signed in as <Foreign text={viewer.name} />
          </span>
          <nav aria-label="Account">
            <a href="/console">Console</a> <a href="/you">Your account</a>
          </nav>
          <Form action="/sign-out" formKey={viewer.formKey} purpose="sign-out">
            <button class="quiet small" type="submit">
              Sign out
            </button>
          </Form>
        </>
      )}
    </header>
  </>
)

function Document({ title, children, ...head }: HeadProps & { readonly children: ComponentChildren }) {
  return (
    <html lang="en">
      <Head title={title} {...head} />
      <body>
        <Header viewer={head.viewer} />
        <main id="content">
          <h1>{title}</h1>
          {children}
        </main>
        <footer>Texts that are marked in grey were written by others. The registry did not check them.</footer>
      </body>
    </html>
  )
}
