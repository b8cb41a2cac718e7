import { isMap } from 'yaml';
import { at, documentOf, LEGACY, type Part, type Source } from './edit/source.ts';
import { MachineConfigError, type Position } from './error.ts';
import { isNull } from './patch/decode.ts';
import type { YamlDocument } from './yaml-text.ts';

/** Where a setting stands: in the one v1alpha1 document, or in a document of its own (Talos 1.12 and 1.14). */
export type Form = 'legacy' | 'document';

export const placeOf = (node: Part, document: YamlDocument): Position | undefined =>
  document.positionOf(node ?? undefined);

/** Where a setting is written: the document's kind and the way inside it. */
export interface Place {
  readonly form: Form;
  readonly kind: string;
  readonly path: readonly string[];
}

interface Twofold {
  readonly kind: string;
  readonly document: readonly string[];
  readonly legacy: readonly string[];
  /** Legacy keys that Talos refuses beside the document. */
  readonly excludes: readonly (readonly string[])[];
}

const SETTINGS = {
  endpoint: {
    kind: 'KubeClusterConfig',
    document: ['endpoint'],
    legacy: ['cluster', 'controlPlane', 'endpoint'],
    excludes: [
      ['cluster', 'clusterName'],
      ['cluster', 'controlPlane', 'endpoint'],
    ],
  },
  clusterName: {
    kind: 'KubeClusterConfig',
    document: ['clusterName'],
    legacy: ['cluster', 'clusterName'],
    excludes: [],
  },
  certSANs: {
    kind: 'KubeAPIServerConfig',
    document: ['certExtraSANs'],
    legacy: ['cluster', 'apiServer', 'certSANs'],
    excludes: [
      ['cluster', 'apiServer'],
      ['cluster', 'controlPlane', 'localAPIServerPort'],
    ],
  },
  extraArgs: {
    kind: 'KubeAPIServerConfig',
    document: ['extraArgs'],
    legacy: ['cluster', 'apiServer', 'extraArgs'],
    excludes: [],
  },
  apiServerPort: {
    kind: 'KubeAPIServerConfig',
    document: ['apiPort'],
    legacy: ['cluster', 'controlPlane', 'localAPIServerPort'],
    excludes: [],
  },
  apiServerImage: {
    kind: 'KubeAPIServerConfig',
    document: ['image'],
    legacy: ['cluster', 'apiServer', 'image'],
    excludes: [],
  },
  kubeletImage: { kind: 'KubeletConfig', document: ['image'], legacy: ['machine', 'kubelet', 'image'], excludes: [] },
  kubePrism: { kind: 'KubePrismConfig', document: [], legacy: ['machine', 'features', 'kubePrism'], excludes: [] },
} as const satisfies Record<string, Twofold>;

export type SettingName = keyof typeof SETTINGS;

/**
 * Where a setting stands in this configuration, or would be written: in its document where there is one, else in the legacy form.
 * Forms are never mixed or migrated; a configuration that has both, which Talos refuses, is refused here too.
 */
export function placeOfSetting(source: Source, name: SettingName): Place {
  const setting: Twofold = SETTINGS[name];
  const document = documentOf(source, setting.kind);
  if (document === undefined) return { form: 'legacy', kind: LEGACY, path: setting.legacy };
  const legacy = documentOf(source, LEGACY);
  const both =
    legacy === undefined
      ? undefined
      : setting.excludes.find((path) => !isNull(at(legacy, ...path)) && !isEmptyMap(at(legacy, ...path)));
  if (both !== undefined) {
    throw new MachineConfigError(
      'conflict',
      `${setting.kind} and ${both.join('.')} exclude each other`,
      document.positionOf(document.ast.contents),
    );
  }
  return { form: 'document', kind: setting.kind, path: setting.document };
}

const isEmptyMap = (node: Part): boolean => isMap(node) && node.items.length === 0;

/** The node of a setting where it stands now; undefined where it is not set. */
export function settingOf(
  source: Source,
  name: SettingName,
): { readonly place: Place; readonly document: YamlDocument; readonly node: Part } | undefined {
  const place = placeOfSetting(source, name);
  const document = documentOf(source, place.kind);
  if (document === undefined) return undefined;
  const node = at(document, ...place.path);
  return isNull(node) ? undefined : { place, document, node };
}
