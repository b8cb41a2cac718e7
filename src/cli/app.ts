import { type Application, buildApplication, buildRouteMap, text_en } from '@stricli/core';
import { VERSION } from '../base/version.ts';
import { configRoutes, initCommand } from './commands/config.ts';
import { applyCommand, planCommand, statusCommand, verifyCommand } from './commands/cluster.ts';
import { kubeconfigCommand, talosconfigCommand } from './commands/credentials.ts';
import { historyRoutes } from './commands/history.ts';
import { removeCommand, undoCommand } from './commands/retreat.ts';
import type { CliContext } from './context.ts';
import { labRoutes } from './lab/routes.ts';

export const routes = buildRouteMap({
  routes: {
    init: initCommand,
    plan: planCommand,
    apply: applyCommand,
    undo: undoCommand,
    remove: removeCommand,
    verify: verifyCommand,
    status: statusCommand,
    history: historyRoutes,
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

/** The whole command line. `onMistake` is told what was not understood of it, as the user reads it on stderr. */
export const createApp = (onMistake: (message: string) => void): Application<CliContext> => {
  const told = (message: string): string => {
    onMistake(message);
    return message;
  };
  return buildApplication(routes, {
    name: 'fairlead',
    versionInfo: { currentVersion: VERSION },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
    documentation: { caseStyle: 'convert-camel-to-kebab', useAliasInUsageLine: false, disableAnsiColor: true },
    localization: {
      loadText: () => ({
        ...text_en,
        noCommandRegisteredForInput: (args) => told(text_en.noCommandRegisteredForInput(args)),
        exceptionWhileParsingArguments: (...args) => told(text_en.exceptionWhileParsingArguments(...args)),
      }),
    },
  });
};
