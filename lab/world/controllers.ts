import type { Clock } from '../../src/base/clock.ts';
import type { Candidate } from '../kubernetes/stand-ins/controllers.ts';
import { issue } from '../pki/pki.ts';
import type { KeyPair } from '../pki/types.ts';
import type { Machines } from './machines.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

/** API servers of control planes that are up, at their hidden addresses, with the lab's own credential. */
export const candidatesOf = (machines: Machines, clusterCA: KeyPair, client: KeyPair) => (): readonly Candidate[] =>
  machines
    .all()
    .filter((m) => m.node.role === 'control-plane' && m.host.condition === 'up' && m.node.info().kubeApiserver)
    .map((m) => ({
      node: m.server.name,
      access: {
        server: `https://${m.host.hidden}:${m.node.info().apiPort}`,
        serverName: 'localhost',
        ca: clusterCA.cert,
        ...client,
      },
    }));

/** The credential of the lab's stand-in controllers. */
export function controllersCertificate(clock: Clock, clusterCA: KeyPair): Promise<KeyPair> {
  const now = clock.wall().getTime();
  return issue(clusterCA, {
    commonName: 'fairlead-lab:controllers',
    organizations: ['system:masters'],
    usages: ['clientAuth'],
    notBefore: new Date(now - 10_000),
    notAfter: new Date(now + YEAR_MS),
  });
}
