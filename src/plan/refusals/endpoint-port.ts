import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';

/** A floating IP leads to the node as it is: the endpoint's port must be the one its API server listens on. */
export function endpointPort({ observation, loaded }: PlanContext): Refusal[] {
  const { port } = loaded.config.endpoint;
  const other = controlPlanes(observation).flatMap((node) => {
    const listens = valueOf(node.config)?.apiServerPort;
    return listens === undefined || listens === port ? [] : [`${node.name}: ${listens}`];
  });
  if (other.length === 0) return [];
  return [
    {
      code: 'endpoint-port',
      what: `No API server listens on endpoint.port ${port}`,
      why: `the control planes listen on other ports: ${other.join(', ')}`,
      next: "Set endpoint.port to that port, or change the API server's port in the machine configs first.",
    },
  ];
}
