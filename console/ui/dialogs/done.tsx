import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

/** What an action has done, for the person and for a screen reader. */
export function useDone(): readonly [shown: ComponentChildren, say: (text: ComponentChildren) => void] {
  const [text, setText] = useState<ComponentChildren>(undefined)
  const shown = (
    <output>
      {text !== undefined && (
        <span class="note" style={{ display: 'block' }}>
          {text}
        </span>
      )}
    </output>
  )
  return [shown, setText]
}
