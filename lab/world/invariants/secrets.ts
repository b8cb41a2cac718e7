import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fromBase64 } from '../../pki/keys.ts';
import type { InvariantPorts } from './check.ts';

/** What may be in no log, by what it is called. */
export function secretsOf({
  secrets,
  tokens,
}: Pick<InvariantPorts, 'secrets' | 'tokens'>): ReadonlyMap<string, string> {
  const { certs } = secrets;
  const keys = Object.entries({
    etcd: certs.etcd.key,
    kubernetes: certs.k8s.key,
    aggregator: certs.k8saggregator.key,
    'service account': certs.k8sserviceaccount.key,
    Talos: certs.os.key,
  });
  return new Map([
    ["the user's cloud token", tokens.own],
    ['the cloud token of the nodes', tokens.node],
    ['the cloud token that reads', tokens.readOnly],
    ['the bootstrap token', secrets.secrets.bootstraptoken],
    ['the secretbox secret', secrets.secrets.secretboxencryptionsecret],
    ['the token of machines', secrets.trustdinfo.token],
    ['the secret of the cluster', secrets.cluster.secret],
    ...keys.flatMap(([name, key]): [string, string][] => [
      [`the ${name} key, as configs spell it`, key.slice(60, 120)],
      [`the ${name} key`, bodyOf(fromBase64(key))],
    ]),
  ]);
}

/** A line of a PEM text that is the key's own. */
const bodyOf = (pem: string): string => {
  const lines = pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  return lines[Math.min(1, lines.length - 1)] ?? pem;
};

/** Logs of the lab, of its machines and of what they run, and the record of requests: none holds a secret. */
export async function secretViolations(ports: InvariantPorts): Promise<string[]> {
  const { state } = ports.info();
  const files = (await readdir(state, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(log|jsonl)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name));
  const secrets = secretsOf(ports);
  const found: string[] = [];
  for (const file of files) {
    for (const name of await secretsIn(file, secrets)) found.push(`${path.relative(state, file)} holds ${name}`);
  }
  return found;
}

/** Names of the secrets that a file holds, read in pieces: logs grow. */
export async function secretsIn(file: string, secrets: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const longest = Math.max(...[...secrets.values()].map((secret) => secret.length));
  const found = new Set<string>();
  let rest = '';
  try {
    for await (const chunk of createReadStream(file, { encoding: 'latin1' })) {
      const text = rest + String(chunk);
      for (const [name, secret] of secrets) if (secret.length > 8 && text.includes(secret)) found.add(name);
      rest = text.slice(-longest);
    }
  } catch (error) {
    // Gone with its machine since it was listed.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  return [...found];
}
