import { valueOf } from '../../model/fact.ts';
import { finding, type Rule } from '../rule.ts';

/** fairlead's own token also lies on every control plane: it cannot be withdrawn apart. */
export const tokensSame: Rule = ({ observation }) =>
  observation.cloud.nodeToken?.same === true
    ? [
        finding({
          id: 'tokens-same',
          level: 'warning',
          subject: 'talosVip.token',
          message:
            'hetzner.token and talosVip.token are the same: the token on the nodes cannot be withdrawn by itself.',
          remedy: 'Make a second read/write token in the Hetzner console and name it under talosVip.token.',
        }),
      ]
    : [];

export const tokenWeak: Rule = ({ observation }) => {
  const { token, nodeToken } = observation.cloud;
  const judged = [
    { key: 'hetzner.token', value: valueOf(token) },
    { key: 'talosVip.token', value: nodeToken === undefined ? undefined : valueOf(nodeToken.class) },
  ];
  return judged.flatMap(({ key, value }) => {
    if (value === undefined || value === 'read-write') return [];
    if (key === 'talosVip.token' && nodeToken?.same === true) return [];
    return [
      finding({
        id: value === 'read-only' ? 'token-read-only' : 'token-unauthorized',
        level: 'error',
        subject: key,
        message:
          value === 'read-only'
            ? `${key} may only read: it cannot move the address.`
            : `The cloud does not accept ${key}.`,
        remedy: 'Make a read/write token in the project of the cluster (Hetzner console, Security, API tokens).',
      }),
    ];
  });
};

/** Talos looks for the address with the token on the node: a token of another project never finds it. */
export const nodeTokenOtherProject: Rule = ({ observation, ip }) => {
  const seen = observation.cloud.nodeToken === undefined ? undefined : valueOf(observation.cloud.nodeToken.floatingIPs);
  if (seen === undefined || ip === undefined || seen.some((f) => f.ip === ip)) return [];
  return [
    finding({
      id: 'node-token-other-project',
      level: 'error',
      subject: 'talosVip.token',
      message: `talosVip.token does not see the address ${ip}: it belongs to another project.`,
      evidence: [`it sees ${seen.length} floating IPs: ${seen.map((f) => f.ip).join(', ') || 'none'}`],
      remedy: 'Make the token in the project that holds the address and the servers.',
    }),
  ];
};
