import { buildRouteMap } from '@stricli/core';
import { execCommand } from './exec.ts';
import { faultRoutes } from './fault.ts';
import { incidentRoutes } from './incident.ts';
import { downCommand, infoCommand, upCommand } from './lifecycle.ts';
import { nodeRoutes } from './node.ts';
import { knobsCommand } from './knobs.ts';
import { requestsCommand } from './requests.ts';
import { restoreCommand, snapshotCommand } from './snapshot.ts';

export const labRoutes = buildRouteMap({
  routes: {
    up: upCommand,
    down: downCommand,
    info: infoCommand,
    snapshot: snapshotCommand,
    restore: restoreCommand,
    requests: requestsCommand,
    exec: execCommand,
    node: nodeRoutes,
    fault: faultRoutes,
    incident: incidentRoutes,
    knobs: knobsCommand,
  },
  docs: {
    brief: 'A pretend Hetzner project with a Talos cluster in it, on this machine',
    fullDescription: [
      'A pretend Hetzner project with a running Talos cluster, on this machine, that speaks the real protocols.',
      'It needs Linux, no network, and (but for the fabric of namespaces) no root.',
      '',
      'Example:',
      '  fairlead lab up',
      '  kubectl --kubeconfig .fairlead/lab/kubeconfig get nodes',
      '  fairlead lab down',
    ].join('\n'),
  },
});
