import { notFound } from './errors.ts';
import type { Delay } from './knobs.ts';
import { type Call, type CloudContext, created, type Routes } from './routes.ts';
import type { Resource, Server } from './state.ts';
import { actionView } from './views.ts';

/** One action on a server. */
export interface ServerChange {
  readonly command: string;
  readonly delay: Delay;
  readonly effect: () => Promise<void> | void;
  /** Beside the server. */
  readonly resources?: readonly Resource[];
  /** What the answer says beside the action. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** What changes at once, as soon as the action was let start. */
  readonly started?: () => void;
}

/** The route of one action on a server; `change` refuses by throwing. */
export const onServer = (
  { project, actions }: CloudContext,
  name: string,
  change: (server: Server, call: Call) => ServerChange,
): Routes => ({
  [`/servers/:id/actions/${name}`]: {
    POST: (call) => {
      const server = project.servers.get(Number(call.param('id')));
      if (server === undefined) throw notFound('server', call.param('id'));
      const { command, delay, effect, resources = [], extra, started } = change(server, call);
      const all = [{ id: server.id, type: 'server' } as const, ...resources];
      const action = actions.start({ command, resources: all, delay, effect });
      started?.();
      return created({ ...extra, action: actionView(action) });
    },
  },
});
