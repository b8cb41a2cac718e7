import { claimants } from '../model/cluster.ts';
import { leadsTo } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { EndpointProbe, Observation } from '../model/observation.ts';
import type { FloatingIP } from '../systems/hetzner/types.ts';
import type { GateCheck } from './gates.ts';

/** Whether a probe reached a ready API server with a certificate that clients trust for that name. */
export const answers = ({ handshake, ready }: Pick<EndpointProbe, 'handshake' | 'ready'>): boolean =>
  handshake.kind === 'served' && handshake.trusted && ready.kind === 'answered' && ready.status === 200;

export const probeText = ({ handshake, ready }: Pick<EndpointProbe, 'handshake' | 'ready'>): string => {
  if (handshake.kind === 'failed') return `TLS ${handshake.reason}: ${handshake.message}`;
  if (!handshake.trusted) return `certificate not trusted: ${handshake.problem ?? 'no reason given'}`;
  return ready.kind === 'failed' ? `/readyz ${ready.reason}: ${ready.message}` : `/readyz ${ready.status}`;
};

/**
 * The only proof that an address works: the cloud routes it to the one node that has it on a link, and a TLS handshake and
 * `/readyz` through it succeed.
 */
export function proofChecks(observation: Observation, address: FloatingIP): GateCheck[] {
  const { nodes, unasked } = claimants(observation, address.ip);
  const [holder] = nodes;
  const planesUnasked = unasked.filter((node) => node.role !== 'worker');
  const claim: GateCheck =
    planesUnasked.length > 0
      ? {
          name: 'exactly one claim',
          verdict: 'unknown',
          evidence: planesUnasked.map((n) => `${n.name} could not be asked`).join('; '),
        }
      : {
          name: 'exactly one claim',
          verdict: nodes.length === 1 ? 'open' : 'closed',
          evidence: nodes.length === 0 ? `no node has ${address.ip}` : nodes.map((n) => n.name).join(', '),
        };
  const agree = nodes.length === 1 && holder?.server !== undefined && holder.server.id === address.server;
  const assignment: GateCheck = {
    name: 'assignment agrees with the claim',
    verdict: agree ? 'open' : 'closed',
    evidence: `Hetzner routes ${address.ip} to ${address.server === null ? 'nobody' : `server ${address.server}`}`,
  };
  const probe = valueOf(observation.endpoint);
  const through: GateCheck =
    probe === undefined
      ? {
          name: 'probe through the endpoint',
          verdict: 'unknown',
          evidence: observation.endpoint.kind === 'unknown' ? observation.endpoint.why : '',
        }
      : { name: 'probe through the endpoint', verdict: answers(probe) ? 'open' : 'closed', evidence: probeText(probe) };
  return [claim, assignment, ...nameChecks(observation, address), through];
}

/** A probe through a name proves the address only where the name leads there and nowhere else. */
function nameChecks({ endpointName }: Observation, { ip }: FloatingIP): GateCheck[] {
  if (endpointName === undefined) return [];
  const { name, addresses } = endpointName;
  const check = `${name} leads to the address`;
  if (addresses.kind === 'unknown') return [{ name: check, verdict: 'unknown', evidence: addresses.why }];
  return [
    {
      name: check,
      verdict: leadsTo(addresses.value, ip) ? 'open' : 'closed',
      evidence: `DNS says ${addresses.value.join(', ')}; the address is ${ip}`,
    },
  ];
}
