import { staticFile } from '../../http/pages/style.js'

export const SIGN_IN_SCRIPT_PATH = '/pages/sign-in.js'

/** Takes a ticket from the fragment of the address. Without script, the person pastes it. */
const SCRIPT = `
const field = document.querySelector('input[name=ticket]')
const ticket = location.hash.slice(1)
if (field && ticket) {
  history.replaceState(null, '', location.pathname)
  field.value = ticket
  field.form.requestSubmit()
}
`

export const signInScript = staticFile(SIGN_IN_SCRIPT_PATH, 'text/javascript; charset=utf-8', SCRIPT)
