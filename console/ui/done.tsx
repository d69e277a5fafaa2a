import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

/** What an action has done. It is announced, also by screen readers that only announce changes of what was there before: so it is there while it is empty. */
export const Done = ({ children }: { readonly children: ComponentChildren }) => (
  <output>
    {children !== undefined && children !== false && (
      <span class="note" style={{ display: 'block' }}>
        {children}
      </span>
    )}
  </output>
)

/** The same for a page that passes `say` to its dialogues. */
export function useDone(): readonly [done: ComponentChildren, say: (text: ComponentChildren) => void] {
  const [text, say] = useState<ComponentChildren>(undefined)
  return [<Done>{text}</Done>, say]
}
