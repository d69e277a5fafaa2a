const MAX_LENGTH = 40

/** What a person types to confirm: the name of the thing if it is short and plain, otherwise its id. Names are texts of others. */
export const nameToType = (name: string | undefined, id: string): string =>
  name !== undefined && name.length <= MAX_LENGTH && /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u.test(name) && name === name.trim() ? name : id
