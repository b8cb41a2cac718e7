import * as z from 'zod';
import { EXIT, Failure, textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import { parseYamlAs } from '../document.ts';
import { certificateOf, decodeBase64, keyFits } from '../pem.ts';
import type { KubeContext } from './types.ts';

const NEXT = 'Check the file, or let `fairlead kubeconfig --file FILE` write a new one.';

const text = z.string().nullish();

const cluster = z.looseObject({
  server: z.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'tls-server-name': text,
  'proxy-url': text,
});

const user = z.looseObject({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
  username: text,
  exec: z.unknown().optional(),
  'auth-provider': z.unknown().optional(),
});

const context = z.looseObject({ cluster: z.string(), user: z.string().nullish(), namespace: text });

const named = <K extends string, S extends z.ZodType>(key: K, schema: S) =>
  z
    .array(z.looseObject({ name: z.string(), [key]: schema } as { name: z.ZodString } & Record<K, S>))
    .nullish()
    .transform((list) => list ?? []);

const schema = z.looseObject({
  kind: z.literal('Config').nullish(),
  'current-context': text,
  clusters: named('cluster', cluster),
  contexts: named('context', context),
  users: named('user', user.nullish()),
});

/** A kubeconfig as it stands in the file; credentials are read when a context is resolved. */
export interface Kubeconfig {
  readonly fileName: string;
  readonly currentContext: string | undefined;
  readonly contextNames: readonly string[];
  /** The validated content, secrets included, kept from being printed. */
  readonly content: Redacted;
}

type Content = z.output<typeof schema>;

/** Reads a kubeconfig. Throws a Failure (exit 2, `kubeconfig-invalid`) with file:line:column for whatever is wrong. */
export function parseKubeconfig(yaml: string, fileName: string): Kubeconfig {
  const content = parseYamlAs(schema, yaml, fileName, { noun: 'kubeconfig', next: NEXT });
  return {
    fileName,
    currentContext: content['current-context'] ?? undefined,
    contextNames: content.contexts.map((c) => c.name),
    content: new Redacted(JSON.stringify(content)),
  };
}

/**
 * One context with its credentials: the named one, or the current one. File references go to `readFile` as they are
 * written: where a relative one starts (the kubeconfig's folder) only the caller knows. Throws a Failure (exit 2, `kubeconfig-context`): a missing context lists what there is;
 * a cluster that is not verified is refused. A user whose credentials come from a program gives `kind: 'other'`.
 */
export async function resolveContext(
  kubeconfig: Kubeconfig,
  name: string | undefined,
  readFile: (file: string) => Promise<string>,
): Promise<KubeContext> {
  const { fileName } = kubeconfig;
  const refuse = (why: string, next = NEXT): never => {
    throw new Failure({
      code: 'kubeconfig-context',
      exit: EXIT.usage,
      what: `${fileName} has no context that can be used`,
      why: `${fileName}: ${why}`,
      state: 'Nothing was changed.',
      next,
    });
  };
  const content = JSON.parse(kubeconfig.content.reveal()) as Content;
  const there = kubeconfig.contextNames.join(', ') || 'none at all';
  const wanted = name ?? kubeconfig.currentContext;
  if (wanted === undefined || wanted === '')
    return refuse(`no context is current and none was named; there are: ${there}`);
  const entry = content.contexts.find((c) => c.name === wanted)?.context;
  if (entry === undefined) return refuse(`there is no context ${JSON.stringify(wanted)}; there are: ${there}`);

  const place = content.clusters.find((c) => c.name === entry.cluster)?.cluster;
  if (place === undefined) return refuse(`context ${wanted} names cluster ${entry.cluster}, which is not in the file`);
  if (place['insecure-skip-tls-verify'] === true) {
    return refuse(
      `cluster ${entry.cluster} is not verified (insecure-skip-tls-verify)`,
      'Give it its certificate authority instead.',
    );
  }
  if (place['proxy-url'] !== undefined && place['proxy-url'] !== null) {
    return refuse(`cluster ${entry.cluster} is reached through a proxy, which fairlead does not do`);
  }
  const url = URL.canParse(place.server) ? new URL(place.server) : undefined;
  if (url?.protocol !== 'https:') return refuse(`cluster ${entry.cluster}: server is not an https URL`);

  const pem = async (what: string, data: unknown, file: unknown): Promise<string | undefined> => {
    if (typeof data === 'string' && data !== '') {
      return decodeBase64(data) ?? refuse(`${what}-data is not base64 of PEM`);
    }
    if (typeof file !== 'string' || file === '') return undefined;
    try {
      return await readFile(file);
    } catch (error) {
      if (error instanceof Failure) throw error;
      return refuse(`${what}: ${file} cannot be read: ${textOf(error)}`);
    }
  };

  const ca = await pem('certificate-authority', place['certificate-authority-data'], place['certificate-authority']);
  if (ca === undefined) return refuse(`cluster ${entry.cluster} has no certificate authority`);
  if (certificateOf(ca) === undefined)
    return refuse(`cluster ${entry.cluster}: the certificate authority is no certificate`);

  const person = content.users.find((u) => u.name === entry.user)?.user;
  return {
    name: wanted,
    cluster: entry.cluster,
    user: entry.user ?? '',
    // As written, but for a slash at the end: what is compared with an endpoint elsewhere is this text.
    server: place.server.replace(/\/+$/, ''),
    tlsServerName: place['tls-server-name'] ?? undefined,
    ca,
    auth: await credentials(person, entry.user ?? '', pem, refuse),
  };
}

async function credentials(
  user: Record<string, unknown> | null | undefined,
  name: string,
  pem: (what: string, data: unknown, file: unknown) => Promise<string | undefined>,
  refuse: (why: string) => never,
): Promise<KubeContext['auth']> {
  const other = (why: string): KubeContext['auth'] => ({ kind: 'other', why });
  if (user === undefined || user === null) {
    return other(name === '' ? 'the context names no user' : `user ${name} is not in the file`);
  }
  const cert = await pem('client-certificate', user['client-certificate-data'], user['client-certificate']);
  const key = await pem('client-key', user['client-key-data'], user['client-key']);
  if (cert !== undefined || key !== undefined) {
    if (cert === undefined || key === undefined) {
      return refuse(`user ${name} has only one half of a client certificate and key`);
    }
    const certificate = certificateOf(cert) ?? refuse(`user ${name}: the client certificate is no certificate`);
    if (!keyFits(certificate, key)) return refuse(`user ${name}: the client key does not belong to the certificate`);
    return { kind: 'certificate', cert, key: new Redacted(key) };
  }
  if (typeof user['token'] === 'string' && user['token'] !== '') {
    return { kind: 'token', token: new Redacted(user['token']) };
  }
  const fromFile = await pem('tokenFile', undefined, user['tokenFile']);
  if (fromFile !== undefined) return { kind: 'token', token: new Redacted(fromFile.trim()) };
  if (user['exec'] !== undefined && user['exec'] !== null) {
    return other(`user ${name} gets its credentials from a program (exec), which fairlead does not run`);
  }
  if (user['auth-provider'] !== undefined && user['auth-provider'] !== null) {
    return other(`user ${name} uses an auth-provider, which fairlead does not run`);
  }
  if (typeof user['username'] === 'string')
    return other(`user ${name} has a password, which Kubernetes no longer takes`);
  return other(`user ${name} has no credentials`);
}
