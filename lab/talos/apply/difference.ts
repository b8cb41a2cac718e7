import { createTwoFilesPatch } from 'diff';
import { parseAllDocuments, visit } from 'yaml';

/**
 * The difference part of a dry run's details: unified, three lines of context, both sides written anew without
 * comments. Talos writes its own field order; a config in another order differs from it here.
 */
export function configDifference(before: string, after: string): string {
  const [a, b] = [withoutComments(before), withoutComments(after)];
  if (a === b) return 'No changes.';
  const patch = createTwoFilesPatch('a', 'b', a, b, undefined, undefined, { context: 3 });
  return patch.slice(patch.indexOf('--- a')).replaceAll('\n\\ No newline at end of file', '');
}

function withoutComments(text: string): string {
  const documents = parseAllDocuments(text);
  return documents
    .map((document) => {
      document.comment = null;
      document.commentBefore = null;
      visit(document, {
        Node(_key, node) {
          node.comment = null;
          node.commentBefore = null;
          node.spaceBefore = false;
        },
      });
      return document.toString({ indent: 4, lineWidth: 0, directives: false });
    })
    .join('---\n');
}
