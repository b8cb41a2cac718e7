import { canonicalAddress } from '../address.ts';
import { MachineConfigError } from '../error.ts';
import { placeOfSetting } from '../form.ts';
import { parseMachineConfig, refuseRedacted } from '../read.ts';
import { documentOf, legacyOf, parseSource } from './source.ts';
import { appendItems, type Finder } from './splice.ts';

const spelling = (name: string): string => canonicalAddress(name) ?? name.toLowerCase();

/** Those names that a list does not have yet, each once; two spellings of an address are one. */
export function missingNames(names: readonly string[], listed: readonly string[]): string[] {
  const seen = new Set(listed.map(spelling));
  return names.filter((name) => name !== '' && seen.size < seen.add(spelling(name)).size);
}

/**
 * Lists names (IP addresses or DNS names) for the API server's certificate, in the form in use: cluster.apiServer.certSANs, or
 * certExtraSANs of KubeAPIServerConfig. Names already listed are left as they are; with nothing missing the text comes back
 * unchanged. Control planes only.
 */
export function addCertSANs(text: string, names: readonly string[]): string {
  const config = parseMachineConfig(text);
  refuseRedacted(config);
  if (config.role === 'worker')
    throw new MachineConfigError('edit', 'a worker has no API server to list certificate names for');
  const missing = missingNames(names, config.certSANs?.value ?? []);
  const place = placeOfSetting(parseSource(text), 'certSANs');
  const find: Finder = (source) => documentOf(source, place.kind) ?? legacyOf(source);
  return appendItems(text, find, place.path, missing);
}

/** Lists names for the certificate of Talos' own API (machine.certSANs, which has no document form). For every role. */
export function addMachineCertSANs(text: string, names: readonly string[]): string {
  const config = parseMachineConfig(text);
  refuseRedacted(config);
  return appendItems(text, legacyOf, ['machine', 'certSANs'], missingNames(names, config.machineCertSANs));
}
