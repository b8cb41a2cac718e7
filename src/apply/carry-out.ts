import { assertNever, Failure } from '../base/failure.ts';
import { findAddress, wantedEndpoint } from '../model/address.ts';
import { controlPlanes } from '../model/cluster.ts';
import { endpointUrl } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { Change } from '../model/plan.ts';
import { assignAddress, protectAddress, reserveAddress } from './cloud.ts';
import { writeKubeconfig, writeRepositoryFile, writeTalosconfig } from './consumers.ts';
import type { Seen } from './look-again.ts';
import { changeNode } from './node-config.ts';
import type { Run } from './run.ts';

/** Does one change and waits for its effect. Gives the evidence; throws a Failure when the effect does not come. */
export async function carryOut(run: Run, { observation }: Seen, change: Change): Promise<readonly string[]> {
  const { action } = change;
  switch (action.kind) {
    case 'reserve-address':
      return reserveAddress(run, action);
    case 'protect-address':
      return protectAddress(run, action);
    case 'assign-address':
      return assignAddress(run, action);
    case 'node-config': {
      const node = observation.nodes.find((n) => n.name === action.node);
      const port = (node === undefined ? undefined : valueOf(node.config))?.apiServerPort ?? 6443;
      const ip = addressOf(run, observation);
      if (action.step === 'vip' && ip === undefined) throw noAddress();
      const evidence = await changeNode(run, change, action, port, ip ?? '');
      if (action.step === 'vip' && ip !== undefined) probeAlso(run, ip);
      return evidence;
    }
    case 'kubeconfig': {
      const wanted = wantedEndpoint(observation.cloud, run.loaded);
      const [plane] = controlPlanes(observation).filter((node) => node.address !== undefined);
      if (wanted === undefined || plane?.address === undefined) throw noAddress();
      return writeKubeconfig(run, action, wanted.url, plane.address);
    }
    case 'talosconfig':
      return writeTalosconfig(run, action);
    case 'repository-file':
      return writeRepositoryFile(run, action);
    default:
      return assertNever(action);
  }
}

const addressOf = (run: Run, observation: Seen['observation']): string | undefined => {
  const state = findAddress(observation.cloud, run.loaded);
  return state.kind === 'found' ? state.floatingIP.ip : undefined;
};

const noAddress = (): Failure =>
  new Failure({
    code: 'address-gone',
    exit: 4,
    what: 'The address is not there any more',
    why: 'it was planned with, and the cloud does not list it now',
    state: 'This change was not made; those before it stand.',
    next: 'Run `fairlead plan`.',
  });

/** The endpoint is measured from the moment it was proven for the first time. */
function probeAlso(run: Run, ip: string): void {
  if (run.probed.has('endpoint')) return;
  const { host = ip, port } = run.loaded.config.endpoint;
  run.probed.add('endpoint');
  run.prober.addTarget({
    name: 'endpoint',
    context: { ...run.systems.kubeContext, server: endpointUrl(host, port), tlsServerName: undefined },
  });
}
