import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.string() }) })),
  users: z.array(
    z.object({ user: z.object({ 'client-certificate-data': z.string(), 'client-key-data': z.string() }) }),
  ),
});
const talosconfigSchema = z.object({
  context: z.string(),
  contexts: z.record(z.string(), z.object({ ca: z.string(), crt: z.string(), key: z.string() })),
});

export interface Credential {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const pem = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** The cluster's admin, as the user's kubeconfig holds it. */
export async function kubernetesAdmin(state: string): Promise<Credential> {
  const { clusters, users } = kubeconfigSchema.parse(parse(await readFile(path.join(state, 'kubeconfig'), 'utf8')));
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
  return {
    ca: pem(cluster?.['certificate-authority-data'] ?? ''),
    cert: pem(user?.['client-certificate-data'] ?? ''),
    key: pem(user?.['client-key-data'] ?? ''),
  };
}

export async function talosAdmin(state: string): Promise<Credential> {
  const { context, contexts } = talosconfigSchema.parse(parse(await readFile(path.join(state, 'talosconfig'), 'utf8')));
  const found = contexts[context];
  return { ca: pem(found?.ca ?? ''), cert: pem(found?.crt ?? ''), key: pem(found?.key ?? '') };
}

/** Replaces every occurrence of a text in a file of the user's. */
export async function replaceIn(state: string, file: string, from: string, to: string): Promise<void> {
  const where = inside(state, file);
  const text = await readFile(where, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
  await writeFile(where, text.replaceAll(from, to));
}

export const writeIn = (state: string, file: string, text: string): Promise<void> =>
  writeFile(inside(state, file), text);

/** Files of incidents stay in the lab's folder. */
function inside(state: string, file: string): string {
  const where = path.resolve(state, file);
  if (!where.startsWith(`${state}${path.sep}`)) throw new Error(`${file} is not in the lab's folder`);
  return where;
}
