// Runs many commands in one process, one after another: { args, env, cwd } → { code, out, err }. Each runs the built main.js anew, but the modules
// that it imports are loaded once, which is most of the time of a command.
import { resolve } from 'node:path'

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js')
const [node] = process.argv
let commands = 0

async function run({ args, env, cwd }) {
  const written = { stdout: '', stderr: '' }
  for (const name of Object.keys(written))
    process[name].write = (text, ...rest) => {
      written[name] += text
      rest.find((one) => typeof one === 'function')?.()
      return true
    }
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(cwd)
  process.argv = [node, MAIN, ...args]
  process.exitCode = undefined
  await import(`${MAIN}?command=${commands++}`)
  const code = process.exitCode ?? 0
  process.exitCode = undefined
  return { code, out: written.stdout, err: written.stderr }
}

process.on('message', async (command) => process.send(await run(command)))
