import { staticFile } from '../../http/pages/style.js'

export const SIGN_IN_SCRIPT_PATH = '/pages/sign-in.js'

/**
 * Takes a ticket or the code of an invitation from the fragment of the address, which no server sees; without script, the person pastes it. Calls the
 * authenticator for a form with options. The parsers are those of the browser (WebAuthn level 3 §5.1).
 */
const SCRIPT = `
const field = document.querySelector('input[name=ticket], input[name=code]')
const secret = location.hash.slice(1)
if (field && secret) {
  history.replaceState(null, '', location.pathname)
  field.value = secret
  if (field.name === 'ticket') field.form.requestSubmit()
}

const form = document.querySelector('form[data-options]')
if (form) {
  const problem = document.querySelector('#problem')
  const show = (text) => {
    problem.textContent = text
    problem.hidden = false
  }
  const button = form.querySelector('button')
  const isSupported = globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON !== undefined
  button.disabled = !isSupported
  if (!isSupported) show('This browser does not support passkeys. Use a newer one.')
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    button.disabled = true
    try {
      const options = JSON.parse(form.dataset.options)
      const credential = options.rp
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })
      form.elements.credential.value = JSON.stringify(credential.toJSON())
      form.submit()
    } catch (error) {
      show(error.name === 'InvalidStateError' ? 'This device already has a passkey for you.' : 'No passkey was used. Try again.')
      button.disabled = false
    }
  })
}
`

export const signInScript = staticFile(SIGN_IN_SCRIPT_PATH, 'text/javascript; charset=utf-8', SCRIPT)
