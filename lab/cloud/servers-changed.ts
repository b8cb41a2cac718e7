import { followFirewalls } from './access/tell.ts';
import { followServers } from './balancers/tell.ts';
import type { CloudContext } from './routes.ts';

/** Servers came, went or changed their labels: what is chosen by label looks again. */
export async function serversChanged(context: CloudContext): Promise<void> {
  await followServers(context);
  await followFirewalls(context);
}
