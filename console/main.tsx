import { render } from 'preact'
import { openConsole } from './api/console.js'
import { ROOT_ID, readViewer } from './api/viewer.js'
import { App } from './app.js'

const root = document.getElementById(ROOT_ID)
if (root) {
  const console = await openConsole(readViewer())
  root.replaceChildren()
  render(<App console={console} />, root)
}
