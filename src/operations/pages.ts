/** Page after page, until one is empty. */
export async function* pages<T extends { readonly key: string }>(
  read: (after: { readonly after?: string }) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let page = await read({}); page.length > 0; ) {
    yield page
    page = await read({ after: page.at(-1)?.key ?? '' })
  }
}
