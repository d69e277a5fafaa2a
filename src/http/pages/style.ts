import { digestOfText } from '../../credentials/jose/digest.js'
import { matchesEtag } from '../etag.js'
import type { Route } from '../route.js'

/** A style sheet or script of the pages. */
export function staticFile(path: string, contentType: string, text: string): Route {
  const headers = { etag: `"${digestOfText(text)}"`, 'cache-control': 'public, max-age=300', 'content-type': contentType }
  return {
    method: 'GET',
    path,
    endpoint: async (request) => (matchesEtag(request, headers.etag) ? { status: 304, headers } : { status: 200, headers, body: text }),
  }
}

export const STYLE_PATH = '/pages/style.css'

/** One column at every width, from 360 px on. All pairs of colours have a contrast of at least 4.5:1 in both schemes (WCAG 2.2 §1.4.3). */
const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #8c959f; --panel: #f3f5f7;
  --accent: #0a53a8; --on-accent: #ffffff; --danger: #b3261e; --on-danger: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181d; --text: #e6e9ed; --quiet: #a3adb8; --line: #6b7785; --panel: #1e242b;
    --accent: #8ab8f5; --on-accent: #0b1725; --danger: #f2a39d; --on-danger: #2b0a08;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main, footer { max-width: 44rem; margin: 0 auto; padding: 0 1rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding-top: 1rem; border-bottom: 1px solid var(--line); padding-bottom: .5rem; }
header .name { font-weight: 600; margin-right: auto; }
footer { color: var(--quiet); font-size: .875rem; padding-top: 2rem; padding-bottom: 2rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin-bottom: .25rem; }
a { color: var(--accent); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
form { margin: 1rem 0; }
label { display: block; font-weight: 600; }
.choice { display: flex; gap: .5rem; align-items: flex-start; font-weight: 400; margin: .5rem 0; }
.choice input { width: 1.25rem; height: 1.25rem; margin: .15rem 0 0; flex: none; }
input:not([type=checkbox], [type=radio]), select, textarea {
  width: 100%; min-height: 2.75rem; padding: .5rem; margin: .25rem 0 .75rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: .25rem;
}
fieldset { border: 1px solid var(--line); border-radius: .25rem; margin: 1rem 0; }
legend { font-weight: 600; padding: 0 .25rem; }
button, .button {
  display: inline-block; min-height: 2.75rem; padding: .5rem 1rem; margin: .25rem .5rem .25rem 0; font: inherit; font-weight: 600;
  color: var(--on-accent); background: var(--accent); border: 2px solid var(--accent); border-radius: .25rem; cursor: pointer; text-decoration: none;
}
button.quiet { color: var(--accent); background: transparent; }
button.danger { color: var(--on-danger); background: var(--danger); border-color: var(--danger); }
button.small { min-height: 2rem; padding: .1rem .6rem; }
button:disabled { opacity: .6; cursor: default; }
.note, .error { padding: .75rem 1rem; margin: 1rem 0; background: var(--panel); border-left: .3rem solid var(--accent); }
.error { border-left-color: var(--danger); }
.hint { color: var(--quiet); font-size: .875rem; }
.foreign { display: inline-block; max-width: 100%; overflow: clip; overflow-wrap: anywhere; background: var(--panel); border-bottom: 1px dotted var(--line); padding: 0 .15rem; }
dl { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .25rem 1rem; margin: .5rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; }
ul.items { list-style: none; padding: 0; }
ul.items > li { padding: .75rem 0; border-bottom: 1px solid var(--line); }
code { font-size: .9em; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
`

export const styleSheet = staticFile(STYLE_PATH, 'text/css; charset=utf-8', STYLE)
