import { useLayoutEffect } from 'preact/hooks'

/** Calls a function when its key is pressed, unless a text is being edited, a control has the focus or a dialogue is open. */
export function useShortcuts(keys: Readonly<Record<string, () => unknown>>): void {
  // Not after the next paint: a key that follows at once would act on the row that was selected before
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const act = keys[event.key]
      if (!act || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const target = event.target as Element | null
      if (target?.closest('input, select, textarea, dialog') || (event.key === 'Enter' && target?.closest('a, button, summary'))) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  })
}
