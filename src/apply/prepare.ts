import { EXIT, Failure, textOf } from '../base/failure.ts';
import type { Redacted } from '../base/redacted.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import type { Journal } from '../journal/journal.ts';
import { findAddress, wantedEndpoint } from '../model/address.ts';
import { controlPlanes } from '../model/cluster.ts';
import { valueOf } from '../model/fact.ts';
import type { Systems } from '../observe/systems.ts';
import type { ProbeTarget } from '../probe/types.ts';
import { proofChecks } from '../plan/proof.ts';
import { isOpen } from '../plan/gates.ts';
import { contextAt } from './api-server.ts';
import type { Seen } from './look-again.ts';
import type { Reporter } from './reporter.ts';
import type { Plane, Run } from './run.ts';

/** Where the prober reads and writes. */
export const PROBE = { namespace: 'default', configMap: 'fairlead-probe' } as const;
const TOKEN_SECONDS = 3600;

interface Parts {
  readonly systems: Systems;
  readonly loaded: LoadedConfig;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
  readonly journal: Journal;
  readonly lock: Run['lock'];
  readonly snapshot: Run['snapshot'];
  readonly safeguards: Run['safeguards'];
}

/**
 * What a real run needs before its first change: a token of today's issuer, whose acceptance is watched to the end, and the prober that
 * measures every way to the API. The token's own `iss` is compared with the issuer that the plan keeps: live proof, not text.
 */
export async function prepare(parts: Parts, { observation, plan }: Seen): Promise<Run> {
  const { systems, loaded, signal } = parts;
  const planes = controlPlanes(observation).flatMap((node): Plane[] =>
    node.address === undefined
      ? []
      : [
          {
            name: node.name,
            address: node.address,
            port: valueOf(node.config)?.apiServerPort ?? 6443,
            server: node.server,
          },
        ],
  );
  const [plane] = planes;
  if (plane === undefined) throw notReady('no control plane has an address of its own');
  const client = systems.kubernetes(contextAt(systems.kubeContext, plane.address, plane.port));
  let token: Redacted;
  try {
    token = await client.serviceAccountToken(PROBE.namespace, 'default', TOKEN_SECONDS, signal);
    await client.ensureConfigMap(PROBE.namespace, PROBE.configMap, { beat: '0' }, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw notReady(textOf(error), error);
  } finally {
    client.close();
  }
  const issuer = issuerOf(token);
  if (plan.issuer.inForce !== undefined && issuer !== plan.issuer.inForce) {
    throw new Failure({
      code: 'issuer-not-as-read',
      exit: EXIT.refused,
      what: 'Living tokens carry another issuer than the machine configs say',
      why: `a token minted now has iss ${issuer ?? 'none'}, the machine configs say ${plan.issuer.inForce}`,
      state: 'Nothing was changed but the ConfigMap default/fairlead-probe.',
      next: 'Find out where the API servers get their issuer from (talosctl get apiserverconfig), then plan again.',
    });
  }
  const targets = targetsOf(systems, loaded, { observation, plan }, planes);
  const prober = systems.startProber({ targets, token, ...PROBE, ...(signal === undefined ? {} : { signal }) });
  parts.reporter.report({ kind: 'prober-started', targets: targets.map((target) => target.name) });
  return {
    ...parts,
    planes,
    token,
    prober,
    probed: new Set(targets.map((target) => target.name)),
    steps: [],
    restarts: {},
    kubeconfig: undefined,
  };
}

/** The own address of each control plane; the endpoint that clients use now; the one that is wanted, once it is proven to work. */
function targetsOf(
  systems: Systems,
  loaded: LoadedConfig,
  { observation, plan }: Seen,
  planes: readonly Plane[],
): ProbeTarget[] {
  const at = (name: string, server: string): ProbeTarget => ({
    name,
    context: { ...systems.kubeContext, server, tlsServerName: undefined },
  });
  const wanted = wantedEndpoint(observation.cloud, loaded);
  const address = findAddress(observation.cloud, loaded);
  const proven = address.kind === 'found' && isOpen(proofChecks(observation, address.floatingIP));
  const old = plan.endpoint.current.find((url) => url !== wanted?.url);
  return [
    ...(proven && wanted !== undefined ? [at('endpoint', wanted.url)] : []),
    ...(old === undefined ? [] : [at('old-endpoint', old)]),
    ...planes.map((plane) => ({
      name: plane.name,
      context: contextAt(systems.kubeContext, plane.address, plane.port),
    })),
  ];
}

/** The issuer that a token itself names; its signature is the API server's business. */
export function issuerOf(token: Redacted): string | undefined {
  const [, body] = token.reveal().split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(body ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null && 'iss' in claims && typeof claims.iss === 'string'
      ? claims.iss
      : undefined;
  } catch {
    return undefined;
  }
}

const notReady = (why: string, cause?: unknown): Failure =>
  new Failure({
    code: 'cannot-measure',
    what: 'The run could not be prepared',
    why,
    state: 'Nothing was changed but, perhaps, the ConfigMap default/fairlead-probe.',
    next: 'kubernetes.kubeconfig must have administrator rights; check it with kubectl auth can-i "*" "*".',
    cause,
  });
