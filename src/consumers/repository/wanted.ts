import { chooseVipForm } from '../../machine-config/edit/vip.ts';
import {
  certSANsPatch,
  endpointPatch,
  issuerPatch,
  type RepositoryPatch,
  vipPatch,
} from '../../machine-config/patches.ts';
import { parseMachineConfig } from '../../machine-config/read.ts';
import type { WantedPatch, WantedRepository } from './desired.ts';

export interface WantedFacts {
  readonly endpoint: string;
  readonly names: readonly string[];
  readonly issuer: string | undefined;
  readonly ip: string;
  readonly variable: string;
  readonly link: { readonly name: string; readonly dhcp: boolean };
  readonly talosVersion: string;
  /** The machine config of a living control plane: new nodes are made in its form. */
  readonly model: string;
}

/** The patches that a folder needs so that a node made from it comes up like the running ones, in the form these use. */
export function wantedRepository(facts: WantedFacts): WantedRepository {
  const config = parseMachineConfig(facts.model);
  const cluster = config.endpoint?.form ?? 'legacy';
  const issuer =
    facts.issuer === undefined
      ? undefined
      : { issuer: facts.issuer, audiences: [...new Set([facts.issuer, facts.endpoint])] };
  const as = (purpose: WantedPatch['purpose'], { folder, file, text }: RepositoryPatch): WantedPatch => ({
    scope: folder,
    name: file,
    purpose,
    text,
  });
  const vip = { ip: facts.ip, link: facts.link.name, dhcp: facts.link.dhcp, tokenVariable: facts.variable };
  const namesPatch = (names: readonly string[]): WantedPatch => as('names', certSANsPatch(names, cluster));
  return {
    endpoint: facts.endpoint,
    names: facts.names,
    issuer,
    ip: facts.ip,
    namesPatch,
    tokenReference: `\${${facts.variable}}`,
    patches: [
      as('endpoint', endpointPatch(facts.endpoint, cluster)),
      namesPatch(facts.names),
      ...(issuer === undefined ? [] : [as('issuer', issuerPatch(issuer, cluster))]),
      as('vip', vipPatch(vip, chooseVipForm(facts.talosVersion, config))),
    ],
  };
}
