/** What is wrong with base64, in the words of Go's encoding/base64; undefined = nothing. Line ends do not count. */
export function base64Problem(text: string): string | undefined {
  const plain = text.replaceAll(/[\n\r]/g, '');
  const bad = plain.search(/[^A-Za-z0-9+/=]|=+[^=]/);
  if (bad === -1 && plain.length % 4 === 0) return undefined;
  return `illegal base64 data at input byte ${bad === -1 ? plain.length - (plain.length % 4) : bad}`;
}

/** How many bytes the text stands for; undefined when it is no base64. */
export const decodedLength = (text: string): number | undefined =>
  base64Problem(text) === undefined ? atob(text.replaceAll(/[\n\r]/g, '')).length : undefined;
