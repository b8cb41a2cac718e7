import { isMap, isScalar, visit } from 'yaml';
import {
  at,
  documentOf,
  documentsOf,
  entryOf,
  follow,
  kindOf,
  LEGACY,
  type Part,
  parseSource,
  type Source,
  textsOf,
  valueOf,
} from './edit/source.ts';
import { MachineConfigError, type Position } from './error.ts';
import { type Form, placeOf, type SettingName, settingOf } from './form.ts';
import { asBool, resolve, scalarText } from './patch/scalar.ts';
import { type VipEntry, vipsOf } from './vip-entry.ts';
import type { YamlDocument } from './yaml-text.ts';

/** A value with where it stands. */
export interface Setting<T> {
  readonly value: T;
  readonly form: Form;
  readonly position: Position | undefined;
}

/** One document of the text: `text.slice(start, end)`, its separator included. */
export interface ConfigDocumentText {
  /** `v1alpha1` for the one without kind. */
  readonly kind: string;
  readonly name: string | undefined;
  readonly start: number;
  readonly end: number;
  readonly position: Position | undefined;
}

/** What decides the issuer of service-account tokens. Undefined is "not written": Talos then derives it from the endpoint. */
export interface IssuerSettings {
  /** API server argument service-account-issuer: the first signs, all are accepted. An empty list removes the flag. */
  readonly issuerArgument: Setting<readonly string[]> | undefined;
  /** API server argument api-audiences. */
  readonly audiencesArgument: Setting<readonly string[]> | undefined;
  /** KubeServiceAccountConfig of Talos 1.14, whose issuerURL does not follow the endpoint. */
  readonly serviceAccount:
    | {
        readonly issuerURL: string | undefined;
        readonly acceptedIssuers: readonly string[];
        readonly acceptedAudiences: readonly string[];
        readonly position: Position | undefined;
      }
    | undefined;
}

export interface MachineConfig {
  readonly text: string;
  readonly documents: readonly ConfigDocumentText[];
  /** From machine.type; undefined when it is missing or none that Talos knows. */
  readonly role: 'control-plane' | 'worker' | undefined;
  readonly clusterName: Setting<string> | undefined;
  /** The exact string. */
  readonly endpoint: Setting<string> | undefined;
  /** Names listed for the API server's certificate; what Talos adds by itself is not here. */
  readonly certSANs: Setting<readonly string[]> | undefined;
  /** Names listed for the certificate of Talos' own API. */
  readonly machineCertSANs: readonly string[];
  readonly issuer: IssuerSettings;
  readonly vips: readonly VipEntry[];
  /** Undefined where the configuration does not say; Talos has it off then. */
  readonly kubePrism: Setting<{ readonly enabled: boolean; readonly port: number }> | undefined;
  /** Which of the node's addresses etcd advertises and the kubelet takes; empty where Talos chooses by itself. */
  readonly subnets: { readonly etcdAdvertised: readonly string[]; readonly kubeletNodeIP: readonly string[] };
  /** The port the API server listens on, 6443 where nothing is said. */
  readonly apiServerPort: number;
  /** From the API server's image, on workers the kubelet's: `v1.36.3`. */
  readonly kubernetesVersion: string | undefined;
  /** Names of LinkAliasConfig documents. */
  readonly linkAliases: readonly string[];
  /** Where values are masked: the text came from a redacted view and must never be applied. */
  readonly redactions: readonly Position[];
}

const ROLES: Readonly<Record<string, 'control-plane' | 'worker'>> = {
  controlplane: 'control-plane',
  init: 'control-plane',
  worker: 'worker',
  join: 'worker',
};
const DEFAULT_PORT = 6443;
const KUBEPRISM_PORT = 7445;

function read<T>(
  source: Source,
  name: SettingName,
  value: (node: Part, document: YamlDocument) => T | undefined,
): Setting<T> | undefined {
  const found = settingOf(source, name);
  const result = found === undefined ? undefined : value(found.node, found.document);
  if (found === undefined || result === undefined) return undefined;
  return { value: result, form: found.place.form, position: placeOf(found.node, found.document) };
}

const text = (node: Part): string | undefined => (isScalar(node) ? scalarText(node) : undefined);

/** An argument's values: a list, or one text with commas between. */
function argument(source: Source, key: string): Setting<readonly string[]> | undefined {
  return read(source, 'extraArgs', (node, document) => {
    const value = follow(valueOf(entryOf(node, key)), document);
    return textsOf(value, document)
      ?.flatMap((item) => item.split(','))
      .filter((item) => item !== '');
  });
}

function serviceAccount(source: Source): IssuerSettings['serviceAccount'] {
  const document = documentOf(source, 'KubeServiceAccountConfig');
  if (document === undefined) return undefined;
  return {
    issuerURL: text(at(document, 'issuer', 'issuerURL')),
    acceptedIssuers: textsOf(at(document, 'accepted', 'issuers'), document) ?? [],
    acceptedAudiences: textsOf(at(document, 'accepted', 'audiences'), document) ?? [],
    position: placeOf(document.ast.contents, document),
  };
}

function kubePrism(source: Source): MachineConfig['kubePrism'] {
  return read(source, 'kubePrism', (node, document) => {
    if (!isMap(node)) return undefined;
    const port =
      Number(
        text(at(document, ...(kindOf(document) === LEGACY ? ['machine', 'features', 'kubePrism', 'port'] : ['port']))),
      ) || KUBEPRISM_PORT;
    const enabled =
      kindOf(document) !== LEGACY ||
      asBool(resolve(at(document, 'machine', 'features', 'kubePrism', 'enabled'))) === true;
    return { enabled, port };
  });
}

function subnetsOf(source: Source, legacy: YamlDocument | undefined): MachineConfig['subnets'] {
  const list = (document: YamlDocument | undefined, ...path: readonly string[]): readonly string[] =>
    (document === undefined ? undefined : textsOf(at(document, ...path), document)) ?? [];
  return {
    // `subnet` is how older configurations say it.
    etcdAdvertised: [
      ...list(legacy, 'cluster', 'etcd', 'advertisedSubnets'),
      ...list(legacy, 'cluster', 'etcd', 'subnet'),
    ].filter((subnet) => subnet !== ''),
    kubeletNodeIP: [
      ...list(legacy, 'machine', 'kubelet', 'nodeIP', 'validSubnets'),
      ...list(documentOf(source, 'KubeNodeConfig'), 'nodeIP', 'validSubnets'),
    ],
  };
}

const versionOf = (image: string | undefined): string | undefined =>
  /:(v\d+\.\d+\.\d+[^@]*)(?:@|$)/.exec(image ?? '')?.[1];

/** What stands in a redacted view where a secret was; no real secret looks like this. */
const MASK = /^(?:<?redacted>?|\*{3,})$/i;

function redactions(source: Source): Position[] {
  const found: Position[] = [];
  for (const document of source.documents) {
    visit(document.ast, {
      Scalar: (key, node) => {
        const position =
          key !== 'key' && typeof node.value === 'string' && MASK.test(node.value.trim())
            ? placeOf(node, document)
            : undefined;
        if (position !== undefined) found.push(position);
      },
    });
  }
  return found;
}

function documentTexts(source: Source): ConfigDocumentText[] {
  return source.documents.flatMap((document) => {
    const kind = kindOf(document);
    if (kind === undefined) return [];
    const [start, , end] = document.ast.range;
    const name = kind === LEGACY ? undefined : text(at(document, 'name'));
    return [{ kind, name, start, end, position: placeOf(document.ast.contents, document) }];
  });
}

/**
 * Reads what fairlead needs out of a machine configuration, in whichever form each setting has. The text is kept as it is.
 *
 * @throws MachineConfigError with line:column for broken YAML, a repeated key, or two forms of one setting that Talos refuses
 */
export function parseMachineConfig(configText: string): MachineConfig {
  const source = parseSource(configText);
  const legacy = documentOf(source, LEGACY);
  const documents = documentTexts(source);
  if (documents.length === 0)
    throw new MachineConfigError('unreadable', 'there is no machine configuration in the text');
  const port = Number(read(source, 'apiServerPort', text)?.value);
  const certSANs = read(source, 'certSANs', textsOf);
  return {
    text: configText,
    documents,
    role: legacy === undefined ? undefined : ROLES[text(at(legacy, 'machine', 'type')) ?? ''],
    clusterName: read(source, 'clusterName', text),
    endpoint: read(source, 'endpoint', text),
    certSANs,
    machineCertSANs: legacy === undefined ? [] : (textsOf(at(legacy, 'machine', 'certSANs'), legacy) ?? []),
    issuer: {
      issuerArgument: argument(source, 'service-account-issuer'),
      audiencesArgument: argument(source, 'api-audiences'),
      serviceAccount: serviceAccount(source),
    },
    vips: vipsOf(source, legacy),
    kubePrism: kubePrism(source),
    subnets: subnetsOf(source, legacy),
    apiServerPort: Number.isInteger(port) && port > 0 ? port : DEFAULT_PORT,
    kubernetesVersion:
      versionOf(read(source, 'apiServerImage', text)?.value) ?? versionOf(read(source, 'kubeletImage', text)?.value),
    linkAliases: documentsOf(source, 'LinkAliasConfig').flatMap((document) => text(at(document, 'name')) ?? []),
    redactions: redactions(source),
  };
}

/**
 * The issuers of service-account tokens this configuration means, the one that signs first. Talos: an argument overrides
 * KubeServiceAccountConfig, which overrides the endpoint string. Empty when nothing says one, or an empty argument removes the flag.
 */
export function issuersOf(config: MachineConfig): readonly string[] {
  const { issuerArgument, serviceAccount: account } = config.issuer;
  if (issuerArgument !== undefined) return issuerArgument.value;
  if (account?.issuerURL !== undefined) return [account.issuerURL, ...account.acceptedIssuers];
  return config.endpoint === undefined ? [] : [config.endpoint.value];
}

/** The audiences the API server accepts: an argument, KubeServiceAccountConfig's list, or else the issuer. */
export function audiencesOf(config: MachineConfig): readonly string[] {
  const { audiencesArgument, serviceAccount: account } = config.issuer;
  if (audiencesArgument !== undefined) return audiencesArgument.value;
  if (account !== undefined && account.acceptedAudiences.length > 0) return account.acceptedAudiences;
  if (account?.issuerURL !== undefined) return [account.issuerURL];
  return config.endpoint === undefined ? [] : [config.endpoint.value];
}

/** The issuer that stays when the endpoint changes; undefined where it would change with it. */
export function pinnedIssuer(config: MachineConfig): string | undefined {
  return config.issuer.issuerArgument?.value[0] ?? config.issuer.serviceAccount?.issuerURL;
}

/** Refuses a text that came from a redacted view: applied, its masks would become real values. */
export function refuseRedacted(config: MachineConfig): void {
  const [first] = config.redactions;
  if (first !== undefined) {
    throw new MachineConfigError(
      'redacted',
      'a value here is masked: this text came from a redacted view, applying it would put the mask in place of the secret',
      first,
    );
  }
}
