import { MachineConfigError } from '../error.ts';
import { placeOfSetting } from '../form.ts';
import { canonicalUrl } from '../patch/url.ts';
import { parseMachineConfig, refuseRedacted } from '../read.ts';
import { documentOf, legacyOf, parseSource } from './source.ts';
import { type Finder, setScalar } from './splice.ts';

/**
 * Sets the cluster's endpoint to exactly this string: cluster.controlPlane.endpoint, or endpoint of KubeClusterConfig where that
 * document stands. KubePrism takes port 443 for a URL without port, and the string is compared byte by byte between nodes, so
 * anything but `https://host:port` is refused.
 */
export function setEndpoint(text: string, url: string): string {
  if (!/^https:\/\/[^/?#@]+:\d{1,5}$/.test(url) || canonicalUrl(url, true) !== url) {
    throw new MachineConfigError(
      'edit',
      `${JSON.stringify(url)} is no endpoint: it must be https://host:port and nothing more`,
    );
  }
  refuseRedacted(parseMachineConfig(text));
  const place = placeOfSetting(parseSource(text), 'endpoint');
  const find: Finder = (source) => documentOf(source, place.kind) ?? legacyOf(source);
  return setScalar(text, find, place.path, url);
}
