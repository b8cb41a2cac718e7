import { assertNever, Failure, textOf } from '../base/failure.ts';
import { controlPlanes } from '../model/cluster.ts';
import { endpointUrl } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { Change } from '../model/plan.ts';
import { HetznerError } from '../systems/hetzner/errors.ts';
import { KubernetesError } from '../systems/kubernetes/errors.ts';
import { TalosError } from '../systems/talos/errors.ts';
import { assignAddress, protectAddress, releaseAddress, reserveAddress } from './cloud.ts';
import { restoreFile, writeKubeconfig, writeRepositoryFile, writeTalosconfig } from './consumers.ts';
import type { Seen } from './look-again.ts';
import { changeNode } from './node-config.ts';
import type { Run } from './run.ts';

/** Does one change and waits for its effect. Gives the evidence; throws a Failure when it is refused or the effect does not come. */
export async function carryOut(run: Run, seen: Seen, change: Change): Promise<readonly string[]> {
  try {
    return await doIt(run, seen, change);
  } catch (error) {
    if (!(error instanceof HetznerError || error instanceof TalosError || error instanceof KubernetesError))
      throw error;
    throw new Failure({
      code: 'change-failed',
      what: `"${change.what}" failed`,
      why: textOf(error),
      state: 'This change may or may not have happened; those before it stand.',
      next: 'Run `fairlead verify` for the cause, then the same command again: it looks first and goes on here.',
      cause: error,
    });
  }
}

async function doIt(run: Run, { observation }: Seen, change: Change): Promise<readonly string[]> {
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
      // The last entry goes: from here on nobody is to reach the address any more, and that is no gap.
      if (action.step === 'vip-out' && action.others === 0 && run.probed.delete('endpoint'))
        run.prober.removeTarget('endpoint');
      const evidence = await changeNode(run, change, action, port);
      if (action.step === 'vip' && action.vip !== undefined) probeAlso(run, action.vip);
      return evidence;
    }
    case 'kubeconfig': {
      const [plane] = controlPlanes(observation).filter((node) => node.address !== undefined);
      if (plane?.address === undefined) throw noControlPlane();
      return writeKubeconfig(run, action, plane.address);
    }
    case 'talosconfig':
      return writeTalosconfig(run, action);
    case 'repository-file':
      return writeRepositoryFile(run, action);
    case 'restore-file':
      return restoreFile(run, action);
    case 'release-address':
      return releaseAddress(run, action);
    default:
      return assertNever(action);
  }
}

const noControlPlane = (): Failure =>
  new Failure({
    code: 'no-control-plane',
    exit: 4,
    what: 'No control plane has an address of its own',
    why: 'it was planned with, and is not listed now',
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
