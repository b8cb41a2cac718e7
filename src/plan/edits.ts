import { createTwoFilesPatch } from 'diff';
import type { Redacted } from '../base/redacted.ts';
import { addCertSANs, addMachineCertSANs } from '../machine-config/edit/cert-sans.ts';
import { setEndpoint } from '../machine-config/edit/endpoint.ts';
import { pinIssuer } from '../machine-config/edit/issuer.ts';
import { addVip, chooseVipForm } from '../machine-config/edit/vip.ts';
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
  const named = addMachineCertSANs(addCertSANs(text, context.names), context.names);
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

const SECRET_KEY = /^([+-]?\s*(?:-\s*)?["']?[A-Za-z0-9_.-]*(?:token|secret|key|password|passphrase)["']?\s*:\s*).+$/i;

/** What changes in a machine config, for people: changed lines only, with every value masked that is or may be a secret. */
export function configDiff(node: string, before: string, after: string, token: Redacted | undefined): string {
  const patch = createTwoFilesPatch(node, node, before, after, undefined, undefined, { context: 0 });
  const lines = patch.split('\n').filter((line) => /^[-+](?![-+]{2} )/.test(line));
  const masked = lines.map((line) => line.replace(SECRET_KEY, '$1***')).join('\n');
  return token === undefined ? masked : masked.replaceAll(token.reveal(), '***');
}
