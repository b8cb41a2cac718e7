import type { ConfigDocument } from './documents.ts';
import { isNamed } from './shape.ts';
import { HOST_CHECKS } from './validate-host-documents.ts';
import { KUBE_CHECKS } from './validate-kube-documents.ts';
import { LINK_CHECKS } from './validate-link-documents.ts';

/** Talos' checks of one document, in its words; several mistakes of one document make one message of several lines. */
export function validateDocument(document: ConfigDocument, minor: number): string | undefined {
  const { kind, name, value } = document;
  const check = LINK_CHECKS[kind] ?? HOST_CHECKS[kind] ?? KUBE_CHECKS[kind];
  const mistakes = (check?.(value, name, minor) ?? []).filter((mistake) => mistake !== undefined);
  if (mistakes.length === 0) return undefined;
  const words = mistakes.join('\n');
  // 1.11 tells the mistake alone.
  return minor < 12 ? words : `${kind}${isNamed(kind) ? `/${name}` : ''}: ${words}`;
}
