import { isAlias, isMap, isPair, isScalar, isSeq, type Node, Scalar, visit } from 'yaml';
import { follow, kindOf, type Part } from './edit/source.ts';
import { MachineConfigError } from './error.ts';
import { scalarText } from './patch/scalar.ts';
import { parseYaml, type YamlDocument } from './yaml-text.ts';

const MASK = '"***"';

/** Keys whose value is a secret wherever they stand. `id` and `secret` of `cluster` are the pair that opens discovery. */
const SECRET_KEY =
  /^(?:key|token|secret|password|passphrase|auth|privateKey|presharedKey|identityToken|clusterID|clusterSecret|uniqueToken|.*(?:ApiToken|apiToken|EncryptionSecret|joinToken|bearerToken))$/;

/** Keys below which everything may be a secret by its content: environments, files, headers, manifests. */
const SECRET_CONTENT = new Set([
  'env',
  'environment',
  'variables',
  'files',
  'configFiles',
  'inlineManifests',
  'extraManifestHeaders',
  'headers',
  'manifest',
  'credentialProviderConfig',
]);

/** Whole documents that are secret by their content. */
const SECRET_KINDS: Readonly<Record<string, readonly string[]>> = {
  KubeCredentialProviderConfig: ['configuration'],
  CRICustomizationConfig: ['content'],
  EtcFileConfig: ['contents'],
  KubeStaticPodConfig: ['pod'],
};

/** What stays readable below a secret part: names and places, not contents. */
const PLAIN_KEYS = new Set(['name', 'path', 'mountPath', 'op', 'permissions', 'apiVersion', 'kind']);

const SECRET_ARGUMENT = /token|secret|passw|credential/i;
const PRIVATE = /-----BEGIN [A-Z ]*PRIVATE KEY-----|LS0tLS1CRUdJTi[A-Za-z0-9+/]*(?:UFJJVkFURS|FBSSVZBVE|QUklWQVRF)/;
const REFERENCE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;
const COMMENT =
  /^(\s*#.*?\b(?:key|token|secret|password|passphrase|auth|privateKey|presharedKey|identityToken|apiToken|clusterSecret|uniqueToken|\w*EncryptionSecret)["']?\s*:\s*)(\S.*)$/;
const SHORTEST = 8;

function hides(document: YamlDocument, path: readonly (string | undefined)[], value: string): boolean {
  if (value === '' || REFERENCE.test(value)) return false;
  const key = path.at(-1);
  if (PRIVATE.test(value)) return true;
  if (key !== undefined && SECRET_KEY.test(key)) return true;
  if (path.length === 2 && path[0] === 'cluster' && key === 'id') return true;
  if (path.includes('extraArgs')) return key !== undefined && SECRET_ARGUMENT.test(key) && !key.endsWith('-file');
  if (path.some((part) => part !== undefined && SECRET_CONTENT.has(part)))
    return key === undefined || !PLAIN_KEYS.has(key);
  const content = SECRET_KINDS[kindOf(document) ?? ''] ?? [];
  return content.includes(path[0] ?? '') || /^[a-z][a-z0-9+.-]*:\/\/[^/]*@|[?&][^=]*token=/i.test(value);
}

interface Hidden {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

/** What to mask in a document. `secrets` are values known to be secret; those found are added. */
function collect(text: string, document: YamlDocument, secrets: Set<string>): Hidden[] {
  const known = [...secrets];
  const hidden = new Map<number, Hidden>();
  const hide = (node: Part): void => {
    const target = follow(node, document);
    if (!isScalar(target) || !target.range) return;
    const value = scalarText(target) || String(target.source ?? '');
    if (value.length >= SHORTEST) secrets.add(value);
    const [from, to] = target.range;
    const block = target.type === Scalar.BLOCK_LITERAL || target.type === Scalar.BLOCK_FOLDED;
    const eol = block && text[to - 1] === '\n' ? (text[to - 2] === '\r' ? '\r\n' : '\n') : '';
    hidden.set(from, { from, to, by: `${MASK}${eol}` });
  };
  visit(document.ast, {
    Node: (key, node, ancestors) => {
      if (key === 'key' || (!isScalar(node) && !isAlias(node))) return;
      const path = ancestors.flatMap((ancestor) => (isPair(ancestor) ? [scalarText(ancestor.key)] : []));
      const target = follow(node as Node, document);
      const list = isMap(target) || isSeq(target);
      const value = list ? '' : scalarText(target);
      if (hides(document, path, value) || known.some((secret) => value.includes(secret))) hide(node as Node);
    },
  });
  return [...hidden.values()];
}

/**
 * The text with every secret masked, for showing configurations and differences: what Talos' own redaction hides in any of its
 * versions, what it forgets (VIP tokens of both forms, WireGuard keys, disk passphrases, registry logins), and what may be a
 * secret by its content (environments, files, inline manifests, headers, credentials in URLs), in comments too. Everything else
 * keeps its bytes; `${NAME}` references stay readable. The result must never be applied: parseMachineConfig finds the masks.
 *
 * A text that is not YAML is masked as a whole, because nothing can be told about it.
 */
export function redactMachineConfig(text: string): string {
  const secrets = new Set<string>();
  let hidden: Hidden[];
  try {
    const documents = parseYaml(text);
    for (const document of documents) collect(text, document, secrets);
    // Once more: a secret that was copied to somewhere else is the same secret.
    hidden = documents.flatMap((document) => collect(text, document, secrets));
  } catch (error) {
    if (error instanceof MachineConfigError) return '***';
    throw error;
  }
  let clean = text;
  for (const { from, to, by } of hidden.toSorted((left, right) => right.from - left.from))
    clean = clean.slice(0, from) + by + clean.slice(to);
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  return clean
    .split('\n')
    .map((line) => line.replace(COMMENT, '$1***'))
    .join('\n');
}
