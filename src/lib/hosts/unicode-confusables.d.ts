// The package has no usable types: its declaration file has the wrong name.
declare module 'unicode-confusables' {
  /** Replaces each character by its prototype of UTS 39. */
  export function rectifyConfusion(text: string): string
}
