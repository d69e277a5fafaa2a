/** Where the audit log says what happened to a thing, and what it did. For those who may read the audit log. */
export const AuditLinks = ({ id, acts = true }: { readonly id: string; readonly acts?: boolean }) => (
  <>
    <a href={`/console/audit?subject=${id}`}>what happened to it</a>
    {acts && (
      <>
        , <a href={`/console/audit?actor=${id}`}>what it did</a>
      </>
    )}
  </>
)
