import * as z from 'zod';
import { EXIT, Failure } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import { parseYamlAs } from '../document.ts';
import { certificateOf, decodeBase64, keyFits } from '../pem.ts';
import { parseEndpoint } from './endpoint.ts';
import { opensslKey } from './keys.ts';
import type { TalosContext } from './types.ts';

const NEXT = 'Check the file, or fetch a new one from the cluster’s owner (`talosctl config merge FILE` joins two).';

const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

// Unknown keys stay: talosctl knows more (auth, proxy-url), and newer ones know more than we do.
const context = z.looseObject({
  endpoints: strings.refine((list) => list.every((e) => parseEndpoint(e) !== undefined), {
    message: 'an endpoint is host, host:port or https://host[:port]',
  }),
  nodes: strings,
  ca: z.string().nullish(),
  crt: z.string().nullish(),
  key: z.string().nullish(),
  cluster: z.string().nullish(),
});

const schema = z.looseObject({
  context: z.string().nullish(),
  contexts: z
    .record(z.string(), context)
    .nullish()
    .transform((contexts) => contexts ?? {}),
});

/** A talosconfig as it stands in the file. Credentials are checked when a context is selected, so that a broken one does not spoil the others. */
export interface Talosconfig {
  readonly fileName: string;
  /** The active context's name. */
  readonly active: string | undefined;
  readonly contexts: ReadonlyMap<string, RawTalosContext>;
}

/** Still in base64. */
export interface RawTalosContext {
  readonly endpoints: readonly string[];
  readonly nodes: readonly string[];
  readonly cluster: string | undefined;
  readonly ca: string | undefined;
  readonly crt: string | undefined;
  readonly key: Redacted | undefined;
}

/** Reads a talosconfig. Throws a Failure (exit 2, `talosconfig-invalid`) with file:line:column for whatever is wrong. */
export function parseTalosconfig(text: string, fileName: string): Talosconfig {
  const parsed = parseYamlAs(schema, text, fileName, { noun: 'talosconfig', next: NEXT });
  return {
    fileName,
    active: parsed.context ?? undefined,
    contexts: new Map(
      Object.entries(parsed.contexts).map(([name, raw]) => [
        name,
        {
          endpoints: raw.endpoints,
          nodes: raw.nodes,
          cluster: raw.cluster ?? undefined,
          ca: raw.ca ?? undefined,
          crt: raw.crt ?? undefined,
          key: raw.key === undefined || raw.key === null ? undefined : new Redacted(raw.key),
        },
      ]),
    ),
  };
}

/**
 * One context with its credentials decoded and checked against each other: the named one, or the active one. Throws a
 * Failure (exit 2, `talosconfig-context`) that lists the contexts there are, or says which credential is wrong.
 * Whether the certificate is still in date is for the caller's clock: `notAfter`.
 */
export function selectContext(config: Talosconfig, name?: string): TalosContext & { readonly notAfter: Date } {
  const { fileName } = config;
  const wanted = name ?? config.active;
  const there = [...config.contexts.keys()].join(', ') || 'none at all';
  const refuse = (why: string, next = NEXT): never => {
    throw new Failure({
      code: 'talosconfig-context',
      exit: EXIT.usage,
      what: `${fileName} has no context that can be used`,
      why: `${fileName}: ${why}`,
      state: 'Nothing was changed.',
      next,
    });
  };
  if (wanted === undefined || wanted === '') {
    return refuse(
      `no context is active and none was named; there are: ${there}`,
      'Name one in fairlead.yaml: talos.context.',
    );
  }
  const raw = config.contexts.get(wanted);
  if (raw === undefined) {
    return refuse(
      `there is no context ${JSON.stringify(wanted)}; there are: ${there}`,
      'Correct talos.context in fairlead.yaml.',
    );
  }
  const part = (key: 'ca' | 'crt' | 'key', value: string | undefined): string =>
    value === undefined || value === ''
      ? refuse(`context ${wanted} has no ${key}`)
      : (decodeBase64(value) ?? refuse(`context ${wanted}: ${key} is not base64 of PEM`));
  const ca = part('ca', raw.ca);
  const crt = part('crt', raw.crt);
  const key = opensslKey(part('key', raw.key?.reveal()));
  if (certificateOf(ca) === undefined) return refuse(`context ${wanted}: ca holds no certificate`);
  const certificate = certificateOf(crt) ?? refuse(`context ${wanted}: crt holds no certificate`);
  if (!keyFits(certificate, key)) return refuse(`context ${wanted}: key does not belong to crt`);
  return {
    name: wanted,
    endpoints: raw.endpoints,
    nodes: raw.nodes,
    cluster: raw.cluster,
    ca,
    crt,
    key: new Redacted(key),
    notAfter: certificate.validToDate,
  };
}

/**
 * Whom a command is for, as talosctl decides it: the nodes that were named, else the context's nodes, else whichever
 * endpoint answers.
 */
export function selectNodes(
  context: Pick<TalosContext, 'nodes' | 'endpoints'>,
  named: readonly string[] = [],
): { readonly source: 'named' | 'context' | 'endpoints'; readonly nodes: readonly string[] } {
  if (named.length > 0) return { source: 'named', nodes: named };
  if (context.nodes.length > 0) return { source: 'context', nodes: context.nodes };
  return { source: 'endpoints', nodes: context.endpoints };
}
