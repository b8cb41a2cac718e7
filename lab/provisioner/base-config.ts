import { stringify } from 'yaml';
import { legacyConfig } from './legacy-config.ts';
import { documentConfig } from './document-config.ts';
import type { ClusterFacts, Role, Secrets } from './types.ts';

/** Minor version of a Talos release: 13 of `v1.13.9`. */
export const minorOf = (version: string): number => Number(version.split('.')[1]);

/**
 * The machine config that `talosctl gen config` of the cluster's own Talos version makes for a role, without comments:
 * one v1alpha1 document (and HostnameConfig) up to 1.13, a document per concern from 1.14 on.
 */
export function baseConfig(secrets: Secrets, cluster: ClusterFacts, role: Role): string {
  const minor = minorOf(cluster.talosVersion);
  const documents = minor >= 14 ? documentConfig(secrets, cluster, role) : legacyConfig(secrets, cluster, role, minor);
  return documents.map((document) => stringify(document, { indent: 4, lineWidth: 0 })).join('---\n');
}
