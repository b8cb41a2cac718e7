import { createTwoFilesPatch } from 'diff';
import { addCertSANs } from '../machine-config/edit/cert-sans.ts';
import { setEndpoint } from '../machine-config/edit/endpoint.ts';
import { pinIssuer } from '../machine-config/edit/issuer.ts';
import { addVip, chooseVipForm } from '../machine-config/edit/vip.ts';
import { redactMachineConfig } from '../machine-config/redact.ts';
import { parseMachineConfig } from '../machine-config/read.ts';
import { publicLink } from '../model/public-link.ts';
import type { NodeObservation } from '../model/observation.ts';
import type { PlanContext } from './context.ts';

/** The edits of each phase as functions of a node's own text. What is right already comes back byte for byte. */

/**
 * Certificate names and the issuer pin together: either alone restarts the API server, together they do it once. An issuer is pinned
 * only where it is not the endpoint that is wanted anyway.
 */
export function namesAndIssuer(context: PlanContext, version: string, text: string): string {
  const named = addCertSANs(text, context.names);
  if (context.pin === undefined) return named;
  return pinIssuer(named, { issuer: context.pin, audiences: [context.wanted.url] }, version);
}

/** The VIP in the form that fits this node, on the link that carries its server's public address. */
export function vip(context: PlanContext, node: NodeObservation, version: string, text: string): string {
  const { vipToken } = context.loaded;
  const link = publicLink(node);
  if (vipToken === undefined || link === undefined) return text;
  const form = chooseVipForm(version, parseMachineConfig(text));
  return addVip(text, { ip: context.ip, token: vipToken.reveal(), link, form });
}

export const wantedEndpointText = (context: PlanContext, text: string): string => setEndpoint(text, context.wanted.url);

/** Whether Talos makes a new certificate for the API server: it does for another endpoint and for other names, not for arguments alone. */
export function reissues(before: string, after: string): boolean {
  const [left, right] = [parseMachineConfig(before), parseMachineConfig(after)];
  const names = ({ certSANs }: typeof left): string => (certSANs?.value ?? []).join('\n');
  return left.endpoint?.value !== right.endpoint?.value || names(left) !== names(right);
}

/** What changes in a machine config, for people: changed lines with one line around them, every secret masked. */
export function configDiff(node: string, before: string, after: string): string {
  const [shownBefore, shownAfter] = [redactMachineConfig(before), redactMachineConfig(after)];
  if (shownBefore === shownAfter) return '(only a secret value changes)';
  const patch = createTwoFilesPatch(node, node, shownBefore, shownAfter, undefined, undefined, { context: 1 });
  return patch
    .split('\n')
    .filter((line) => /^[-+ ](?![-+]{2} )/.test(line))
    .join('\n');
}
