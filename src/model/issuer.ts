import { controlPlanes } from './cluster.ts';
import { valueOf } from './fact.ts';
import type { Observation } from './observation.ts';

export type IssuerState =
  | { readonly kind: 'known'; readonly issuer: string }
  | { readonly kind: 'differs'; readonly byNode: readonly { readonly node: string; readonly issuer: string }[] }
  | { readonly kind: 'unknown'; readonly nodes: readonly string[] };

/**
 * What signs service-account tokens now. Talos: the endpoint string, unless an issuer is written down; so a changed endpoint
 * makes every token worthless whose issuer was not pinned before. Control planes that disagree refuse each other's tokens.
 */
export function issuerState(observation: Observation): IssuerState {
  const planes = controlPlanes(observation);
  const byNode = planes.flatMap((node) => {
    const issuer = valueOf(node.config)?.issuers[0];
    return issuer === undefined ? [] : [{ node: node.name, issuer }];
  });
  const blind = planes.filter((node) => valueOf(node.config)?.issuers[0] === undefined).map((node) => node.name);
  const distinct = [...new Set(byNode.map((entry) => entry.issuer))];
  const [issuer, second] = distinct;
  if (second !== undefined) return { kind: 'differs', byNode };
  if (blind.length > 0 || issuer === undefined) return { kind: 'unknown', nodes: blind };
  return { kind: 'known', issuer };
}
