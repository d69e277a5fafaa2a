import { useState } from 'preact/hooks'

/** A command for the command line, or another text that is used elsewhere, with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  const [copied, setCopied] = useState<string | undefined>()
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(text),
      () => setCopied(undefined),
    )
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long command scrolls, also by keyboard */}
      <pre class="command" tabIndex={0}>
        <code>{text}</code>
      </pre>
      {/* Browsers have no clipboard for pages without TLS */}
      {'clipboard' in navigator && (
        <button type="button" class="quiet small copy" onClick={copy}>
          {copied === text ? 'Copied' : 'Copy'}
        </button>
      )}
    </>
  )
}
