/** Reads page after page, each after the last key of the previous page, until a page is empty. */
export async function* pages<T extends { readonly key: string }>(
  read: (after: { readonly after?: string }) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let page = await read({}); page.length > 0; ) {
    yield page
    page = await read({ after: page.at(-1)?.key ?? '' })
  }
}
