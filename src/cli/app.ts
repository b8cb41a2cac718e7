import { buildApplication, buildRouteMap } from '@stricli/core';
import { VERSION } from '../base/version.ts';
import { configRoutes, initCommand } from './commands/config.ts';
import { applyCommand, planCommand, statusCommand, verifyCommand } from './commands/cluster.ts';
import { kubeconfigCommand, talosconfigCommand } from './commands/credentials.ts';
import { labRoutes } from './lab/routes.ts';

export const routes = buildRouteMap({
  routes: {
    init: initCommand,
    plan: planCommand,
    apply: applyCommand,
    verify: verifyCommand,
    status: statusCommand,
    kubeconfig: kubeconfigCommand,
    talosconfig: talosconfigCommand,
    config: configRoutes,
    lab: labRoutes,
  },
  docs: {
    brief: 'An API endpoint that outlives the nodes of a Talos cluster on Hetzner Cloud',
    fullDescription: [
      'An API endpoint that outlives the nodes of a Talos cluster on Hetzner Cloud.',
      '',
      'Start with a world to try it in:   fairlead lab up',
      'See what would change:             fairlead plan --config .fairlead/lab/fairlead.yaml',
    ].join('\n'),
  },
});

export const app = buildApplication(routes, {
  name: 'fairlead',
  versionInfo: { currentVersion: VERSION },
  scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
  documentation: { caseStyle: 'convert-camel-to-kebab', useAliasInUsageLine: false, disableAnsiColor: true },
});
