import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Foreign } from '../../src/http/pages/foreign.js'
import { withoutUnprintable } from '../../src/lib/io/printable.js'

const ABOUT_LENGTH = 60

/** A page of the console: the heading gets the focus, so that a screen reader announces the page. */
export function Page({
  title,
  about,
  actions,
  children,
}: {
  readonly title: string
  /** The name of the thing that the page is about: a text of others. */
  readonly about?: string | undefined
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${about === undefined ? '' : `${withoutUnprintable(about).slice(0, ABOUT_LENGTH)} – `}${title} – Credence`
  }, [title, about])
  useEffect(() => heading.current?.focus(), [title])
  return (
    <main id="content">
      <div class="heading">
        <h1 tabIndex={-1} ref={heading}>
          {title} {about !== undefined && <Foreign text={about} max={ABOUT_LENGTH} />}
        </h1>
        <div class="actions">{actions}</div>
      </div>
      {children}
    </main>
  )
}

/** The properties of a thing. Absent ones are left out. */
export const Facts = ({ of }: { readonly of: Readonly<Record<string, ComponentChildren>> }) => (
  <dl>
    {Object.entries(of)
      .filter(([, value]) => value !== undefined && value !== null && value !== false && value !== '')
      .map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>])}
  </dl>
)

/** A part of a page with a heading. */
export const Section = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <section aria-label={title}>
    <h2>{title}</h2>
    {children}
  </section>
)
