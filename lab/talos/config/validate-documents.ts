import { at, isSection, numberAt, textAt, textsAt } from './access.ts';
import type { Value } from './decode.ts';
import type { ConfigDocument } from './documents.ts';
import { parseIp, parseSubnet } from './ip.ts';
import { compileSelector } from './link-selector.ts';
import { endpointProblem } from './url.ts';

/** Talos' checks of one document, in its words; several mistakes of one document make one message of several lines. */
export function validateDocument(document: ConfigDocument, minor: number): string | undefined {
  const mistakes = mistakesOf(document, minor).filter((mistake) => mistake !== undefined);
  if (mistakes.length === 0) return undefined;
  const unnamed = document.name === '' && !NAMED.has(document.kind);
  return `${document.kind}${unnamed ? '' : `/${document.name}`}: ${mistakes.join('\n')}`;
}

const NAMED = new Set([
  'HCloudVIPConfig',
  'Layer2VIPConfig',
  'LinkAliasConfig',
  'LinkConfig',
  'DummyLinkConfig',
  'DHCPv4Config',
  'DHCPv6Config',
]);

function mistakesOf({ kind, name, value }: ConfigDocument, minor: number): readonly (string | undefined)[] {
  const missing = (key: string, words = 'must be specified'): string | undefined =>
    (textAt(value, key) ?? '') === '' ? `${key} ${words}` : undefined;
  switch (kind) {
    case 'HCloudVIPConfig':
      return [addressProblem(name), missing('link'), missing('apiToken')];
    case 'Layer2VIPConfig':
      return [addressProblem(name), missing('link')];
    case 'LinkAliasConfig':
      return [
        name === '' ? 'name must be specified' : verbProblem(name, minor),
        selectorProblem(textAt(value, 'selector', 'match')),
      ];
    case 'LinkConfig':
    case 'DummyLinkConfig':
    case 'DHCPv4Config':
    case 'DHCPv6Config':
      return [name === '' ? 'name must be specified' : undefined];
    case 'KubeClusterConfig':
      return [missing('clusterName'), endpointMistake(textAt(value, 'endpoint'))];
    case 'KubeAPIServerConfig':
      return [
        (textAt(value, 'image') ?? '') === '' ? 'kube-apiserver image cannot be empty' : undefined,
        ...deniedArguments(at(value, 'extraArgs')),
      ];
    case 'KubePrismConfig':
      return [portProblem(numberAt(value, 'port') ?? 0)];
    case 'KubeNodeConfig':
      return textsAt(value, 'nodeIP', 'validSubnets')
        .map((text) => text.replace(/^!/, ''))
        .filter((text) => parseSubnet(text) === undefined)
        .map((text) => `kubelet nodeIP subnet is not valid: ${JSON.stringify(text)}`);
    default:
      return [];
  }
}

const endpointMistake = (endpoint: string | undefined): string | undefined => {
  if (endpoint === undefined) return 'endpoint must be specified';
  const problem = endpointProblem(endpoint);
  return problem === undefined ? undefined : `cluster endpoint is invalid: ${problem}`;
};

const portProblem = (port: number): string | undefined =>
  port >= 1 && port <= 65_535 ? undefined : `invalid port ${port}: must be in range 1-65535`;

function addressProblem(name: string): string | undefined {
  if (name === '') return 'name must be specified';
  if (parseIp(name) !== undefined) return undefined;
  const slash = name.indexOf('/');
  const reason =
    slash > 0
      ? `unexpected character (at ${JSON.stringify(name.slice(slash))})`
      : /^\d+(\.\d+){3}$/.test(name)
        ? 'IPv4 field has value >255'
        : 'unable to parse IP';
  return `name must be a valid IP address: ParseAddr(${JSON.stringify(name)}): ${reason}`;
}

const verbProblem = (name: string, minor: number): string | undefined =>
  minor >= 13 && /%/.test(name.replace(/%d$/, ''))
    ? `name ${JSON.stringify(name)} contains an invalid format verb, use %d suffix`
    : undefined;

function selectorProblem(source: string | undefined): string | undefined {
  if (source === undefined || source === '') return 'link selector is required';
  const selector = compileSelector(source);
  return 'error' in selector ? `link selector is invalid: ${selector.error}` : undefined;
}

/** Flags that have documents of their own. */
const REPLACED = [
  ['anonymous-auth', 'KubeAuthenticationConfig'],
  ['oidc-', 'KubeAuthenticationConfig'],
  ['authentication-config', 'KubeAuthenticationConfig'],
  ['authorization-config', 'KubeAuthorizerConfig'],
  ['authorization-mode', 'KubeAuthorizerConfig'],
  ['authorization-webhook-', 'KubeAuthorizerConfig'],
] as const;

const deniedArguments = (extraArgs: Value | undefined): readonly string[] =>
  Object.keys(isSection(extraArgs) ? extraArgs : {}).flatMap((name) => {
    const [, kind] = REPLACED.find(([prefix]) => name.startsWith(prefix)) ?? [];
    return kind === undefined
      ? []
      : [`kube-apiserver extra argument ${JSON.stringify(name)} is not allowed: use ${kind}`];
  });
