import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';
import type { Judge } from './judge.ts';

/** Both tokens must be able to write, in the project of the address. */
export const tokens: Judge = ({ observation, loaded, floatingIP }) => {
  const { token, nodeToken } = observation.cloud;
  const judge = (key: string, fact: typeof token): Refusal[] => {
    const next = 'Make a read/write token in the project of the cluster (Hetzner console, Security, API tokens).';
    if (fact.kind === 'unknown') {
      return [
        {
          code: 'token-unknown',
          what: `What ${key} may do is not known`,
          why: fact.why,
          next: 'Make the Hetzner Cloud API reachable, then try again.',
        },
      ];
    }
    if (fact.value === 'read-write') return [];
    const why = fact.value === 'read-only' ? 'it may only read' : 'the cloud does not accept it';
    return [{ code: `token-${fact.value}`, what: `${key} cannot be used`, why, next }];
  };
  if (nodeToken === undefined) {
    return [
      ...judge('hetzner.token', token),
      {
        code: 'node-token-missing',
        what: 'There is no token for the nodes',
        why: `mode ${loaded.config.mode} writes a token onto every control plane, and talosVip.token is not set`,
        next: 'Make a second read/write token and name it under talosVip.token in fairlead.yaml.',
      },
    ];
  }
  return [
    ...judge('hetzner.token', token),
    ...(nodeToken.same ? [] : judge('talosVip.token', nodeToken.class)),
    ...sameProject(nodeToken.floatingIPs, floatingIP),
  ];
};

/** Talos looks for the address with the token on the node, and a token of another project never finds it. */
function sameProject(
  seen: NonNullable<PlanContext['observation']['cloud']['nodeToken']>['floatingIPs'],
  floatingIP: PlanContext['floatingIP'],
): Refusal[] {
  if (floatingIP === undefined) return [];
  const next = 'Make the token in the project that holds the address and the servers.';
  if (seen.kind === 'unknown') {
    return [{ code: 'token-unknown', what: 'What talosVip.token sees is not known', why: seen.why, next }];
  }
  if (seen.value.some((f) => f.id === floatingIP.id)) return [];
  return [
    {
      code: 'node-token-other-project',
      what: `talosVip.token does not see the address ${floatingIP.ip}`,
      why: 'it belongs to another project, so Talos would never find the address',
      next,
    },
  ];
}
