// Stands for `npx credence` in the examples. The test runs the command, because loading the program is most of the time of a command.
import { request } from 'node:http'

const [, , port, ...args] = process.argv
const sent = request({ host: '127.0.0.1', port, method: 'POST' }, async (response) => {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  const { code, out, err } = JSON.parse(text)
  process.stdout.write(out)
  process.stderr.write(err)
  process.exitCode = code
})
sent.end(JSON.stringify({ args, env: process.env, cwd: process.cwd() }))
