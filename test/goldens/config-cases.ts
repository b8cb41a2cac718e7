import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments, visit } from 'yaml';
import { configDifference } from '../../lab/talos/apply/difference.ts';
import { checkConfig, readConfig } from '../../lab/talos/config/read.ts';
import { minorOf } from '../../lab/talos/config/settings.ts';
import type { RuntimeMode } from '../../lab/talos/config/validate-v1alpha1.ts';
import type { NodeFacts } from '../../lab/talos/config/types.ts';
import type { TalosVersion } from '../../lab/talos/types.ts';
import { KNOWN_RELEASES } from '../../lab/talos/life/releases.ts';
import { setEndpoint } from '../../src/machine-config/edit/endpoint.ts';
import { addVip, removeVip } from '../../src/machine-config/edit/vip.ts';
import { type MachineConfig, parseMachineConfig } from '../../src/machine-config/read.ts';
import { MachineConfigError } from '../../src/machine-config/error.ts';
import { applyPatches } from '../../src/machine-config/patch/apply.ts';
import { redactMachineConfig } from '../../src/machine-config/redact.ts';
import { meaningOf } from './patch-oracle.ts';

const read = (...parts: string[]): string => readFileSync(path.join(...parts), 'utf8');
const unequal = (what: string, ours: unknown, theirs: unknown): string[] =>
  isDeepStrictEqual(ours, theirs) ? [] : [`${what}: ${cut(ours)}; expected ${cut(theirs)}`];
const cut = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, 400);

interface PatchCase {
  readonly base: string;
  readonly patches: readonly string[];
  readonly results: readonly { talosctl: string; exit: number; output?: string; stderr?: string }[];
}

/** Exit and meaning, for each version that was asked. The base lies in the folder that holds the cases, or above it. */
export function patchTroubles(directory: string): string[] {
  const { base, patches, results } = JSON.parse(read(directory, 'case.json')) as PatchCase;
  const text = read(upwards(directory, base));
  const given = patches.map((name) => ({ name, text: read(directory, name) }));
  return results.flatMap(({ talosctl, exit, output, stderr }) => {
    let ours: string;
    try {
      ours = applyPatches(text, given, talosctl);
    } catch (error) {
      if (!(error instanceof MachineConfigError)) throw error;
      return exit === 0 ? [`${talosctl} succeeds, we say: ${error.message}`] : [];
    }
    if (exit !== 0 || output === undefined) return [`${talosctl} ends with ${exit} (${stderr ?? ''}), we succeed`];
    return unequal(talosctl, meaningOf(ours), meaningOf(read(directory, output)));
  });
}

function upwards(from: string, name: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const file = path.join(folder, name);
    if (existsSync(file)) return file;
    if (folder === path.dirname(folder)) throw new Error(`${name} is not in ${from}, nor above it`);
  }
}

interface Verdicts {
  readonly verdicts: readonly { talosctl: TalosVersion; args: string[]; exit: number; stderr: string }[];
}

/** Exit and text of every run, in the mode it was made in. */
export function validateTroubles(directory: string): string[] {
  const config = read(directory, 'config.yaml');
  const { verdicts } = JSON.parse(read(directory, 'verdict.json')) as Verdicts;
  return verdicts
    .flatMap(({ talosctl, args, exit, stderr }) => {
      const mode = args[args.indexOf('--mode') + 1] as RuntimeMode;
      const verdict = checkConfig(config, minorOf(talosctl), mode);
      const message = 'refusal' in verdict ? verdict.refusal : '';
      // Talos prints warnings to the same stream; a mistake in the YAML itself is told in the words of another library.
      const words = stderr.replace(/^WARNING:.*\n/, '').trimEnd();
      return [
        ...unequal(`${talosctl} ${mode}: exit`, message === '' ? 0 : 1, exit),
        ...(words.startsWith('decode error') ? [] : unequal(`${talosctl} ${mode}: text`, message, words)),
      ];
    });
}

interface NodeJson {
  readonly hostname: string;
  readonly domainname: string;
  readonly links: readonly { name: string; linkState: boolean; busPath?: string; driver?: string }[];
  readonly addresses: readonly { link: string; address: string }[];
  readonly externalAddresses: readonly string[];
  readonly earlierAddresses: readonly string[];
}

interface DerivedJson {
  readonly kubernetesApiCertificate: unknown;
  readonly talosApiCertificate: unknown;
  readonly kubelet: { readonly nodeIP: readonly string[] | null } | null;
  readonly etcd: {
    readonly spec: { readonly advertisedAddresses: readonly string[] } | null;
    readonly config: { readonly advertiseExcludeSubnets: readonly string[] };
  } | null;
  readonly kubeAPIServerCommand: readonly string[] | null;
  readonly kubePrism: { readonly listen: string | null };
  readonly adminKubeconfig: { readonly text: string; readonly clientCertificate: { readonly validSeconds: number } } | null;
  readonly controllerMessages: readonly { readonly msg: string; readonly address?: string }[];
}

const DERIVED_BY: Readonly<Record<string, TalosVersion>> = { '1.13': 'v1.13.9', '1.14': 'v1.14.0-rc.1' };

const factsOf = (json: NodeJson): NodeFacts => ({
  hostname: json.hostname,
  domain: json.domainname,
  links: json.links.map(({ linkState, ...link }) => ({ ...link, up: linkState })),
  addresses: json.addresses,
  externalAddresses: json.externalAddresses,
  earlierAddresses: json.earlierAddresses,
});

export function derivedTroubles(directory: string): string[] {
  const config = read(directory, 'config.yaml');
  const facts = factsOf(JSON.parse(read(directory, 'node.json')) as NodeJson);
  return readdirSync(directory)
    .filter((name) => name.startsWith('derived-'))
    .flatMap((name) => {
      const short = name.replace(/^derived-|\.json$/g, '');
      const version = DERIVED_BY[short];
      if (version === undefined) return [`no lab node of Talos ${short}`];
      const golden = JSON.parse(read(directory, name)) as DerivedJson;
      return derivedBy(version, config, facts, golden).map((trouble) => `${short} ${trouble}`);
    });
}

function derivedBy(version: TalosVersion, config: string, facts: NodeFacts, golden: DerivedJson): string[] {
  const verdict = readConfig(config, version, facts);
  if (verdict.kind === 'refused') return [`refused: ${verdict.message}`];
  const { derived } = verdict;
  const none = { dnsNames: [], ipAddresses: [] };
  const kubeconfig = golden.adminKubeconfig;
  const prism = derived.kubePrism === undefined ? null : `127.0.0.1:${derived.kubePrism.port}`;
  const told = golden.controllerMessages
    .filter(({ msg }) => msg.includes('node IP'))
    .map(({ msg, address }) => (address === undefined ? msg : `${msg}: ${address}`));
  return [
    ...unequal('kubernetesApiCertificate', derived.kubernetesApiCertificate, golden.kubernetesApiCertificate ?? none),
    ...unequal('talosApiCertificate', derived.talosApiCertificate, golden.talosApiCertificate),
    ...unequal('kubeAPIServerCommand', derived.kubeAPIServerArgs, golden.kubeAPIServerCommand?.slice(1) ?? []),
    ...unequal('kubelet.nodeIP', derived.kubeletNodeIPs, golden.kubelet?.nodeIP ?? []),
    ...unequal('etcd.advertisedAddresses', derived.etcdAdvertised, golden.etcd?.spec?.advertisedAddresses ?? []),
    ...unequal('kubePrism.listen', prism, golden.kubePrism.listen),
    ...unequal(
      'etcd.advertiseExcludeSubnets',
      [...new Set(derived.vips.map(({ ip }) => ip))].toSorted(),
      (golden.etcd?.config.advertiseExcludeSubnets ?? []).toSorted(),
    ),
    ...(kubeconfig === null
      ? []
      : [
          ...unequal('kubeconfig server', derived.endpoint, /server: (.*)/.exec(kubeconfig.text)?.[1]),
          ...unequal('kubeconfig context', derived.clusterName, /current-context: admin@(.*)/.exec(kubeconfig.text)?.[1]),
          // Ten seconds: the certificate is dated back.
          ...unequal(
            'kubeconfig lifetime',
            derived.adminKubeconfigLifetimeMs / 1000,
            kubeconfig.clientCertificate.validSeconds - 10,
          ),
        ]),
    ...told.filter((message) => !derived.warnings.includes(message)).map((message) => `does not say ${message}`),
    ...unequal('number of messages', derived.warnings.length, golden.controllerMessages.length),
  ];
}

interface RedactCase {
  readonly marker: string;
  readonly results: readonly { talos: string; output?: string; leftInClear?: string[] }[];
}

/**
 * Nothing that Talos' own function hides is left in clear, nor what it forgets; and everything else is there as Talos' own
 * text has it, value by value. Ours hides more than Talos does: a mask stands for any text.
 */
export function redactTroubles(directory: string): string[] {
  const config = read(directory, 'config.yaml');
  const ours = redactMachineConfig(config);
  const { marker, results } = JSON.parse(read(directory, 'case.json')) as RedactCase;
  const troubles = unequal('documents', meaningOf(ours).length, meaningOf(config).length);
  for (const { talos, output, leftInClear = [] } of results) {
    if (output === undefined) continue;
    const theirs = valuesOf(meaningOf(read(directory, output)));
    const own = valuesOf(meaningOf(ours));
    for (const [at, value] of theirs) {
      const found = own.get(at);
      const masked = typeof found === 'string' && found.includes(MASK);
      if (masked || (value !== marker && isDeepStrictEqual(found, value))) continue;
      troubles.push(`${talos} ${at}: ${cut(found)}; expected ${cut(value)}`);
    }
    // Talos' encoder leaves out what is empty.
    const more = [...own].filter(([at, value]) => !theirs.has(at) && !(typeof value === 'object' || value === ''));
    for (const [at] of more) troubles.push(`${talos} ${at} is in ours alone`);
    const kept = new Set(scalars(read(directory, output)));
    const hidden = scalars(config).filter((value) => value.length > 3 && !kept.has(value));
    for (const secret of [...hidden, ...leftInClear]) {
      if (ours.includes(secret) && (!kept.has(secret) || leftInClear.includes(secret))) {
        troubles.push(`${secret.slice(0, 4)}... (${secret.length} characters) is left in clear`);
      }
    }
  }
  return troubles;
}

const MASK = '***';

/** Every value of a config by its place; what is empty is a value too. */
function valuesOf(value: unknown, at = '', found = new Map<string, unknown>()): Map<string, unknown> {
  const inside = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (inside.length === 0) found.set(at, value);
  for (const [key, child] of inside) valuesOf(child, `${at}/${key}`, found);
  return found;
}

function scalars(text: string): string[] {
  const found: string[] = [];
  for (const document of [parseAllDocuments(text, { logLevel: 'silent' })].flat()) {
    if (!('contents' in document)) continue;
    visit(document, {
      Scalar: (key, node) => void (key !== 'key' && typeof node.value === 'string' && found.push(node.value)),
    });
  }
  return found;
}

export function diffTroubles(directory: string): string[] {
  const ours = configDifference(read(directory, 'before.yaml'), read(directory, 'after.yaml')).trimEnd();
  return unequal('text', ours, read(directory, 'expected.diff').trimEnd() || 'No changes.');
}

const NO_FACTS: NodeFacts = {
  hostname: 'cp-1',
  links: [{ name: 'eth0', busPath: '0000:01:00.0', driver: 'virtio_net' }],
  addresses: [{ address: '203.0.113.20/32', link: 'eth0' }],
  externalAddresses: [],
  earlierAddresses: [],
};

const VIP = { ip: '198.51.100.99', token: 'throwaway' };

/** What the generator made: a node of its own release takes it and derives from it, and it comes back as it came. */
export function generatedTroubles(file: string): string[] {
  const text = read(file);
  const release = releaseOf(text);
  if (release === undefined) return ['names no installer of a release that the lab has'];
  const verdict = readConfig(text, release, NO_FACTS);
  if (verdict.kind === 'refused') return [`${release} refuses it: ${verdict.message}`];
  const config = parseMachineConfig(text);
  return [
    ...unequal('endpoint', verdict.derived.endpoint, config.endpoint?.value),
    // Text in, syntax tree, text out: with nothing to change, and with a change taken back.
    ...(removeVip(text, VIP.ip) === text ? [] : ['the editor changes its bytes']),
    ...(thereAndBack(text, config).every((again) => again === text) ? [] : ['an edit that is taken back changes its bytes']),
  ];
}

/**
 * Edits taken back, as far as the product makes them in such a file: a shared IP on control planes, an endpoint with a port.
 * The editor quotes an IPv6 endpoint, as the generator does not: that one does not come back in the same bytes.
 */
function thereAndBack(text: string, { role, endpoint }: MachineConfig): string[] {
  const vip = { ...VIP, link: { name: 'eth0', dhcp: true }, form: 'document' } as const;
  const url = endpoint?.value ?? '';
  return [
    ...(role === 'worker' ? [] : [removeVip(addVip(text, vip), vip.ip)]),
    ...(/^[^[]+:\d+$/.test(url) ? [setEndpoint(setEndpoint(text, `https://${VIP.ip}:7443`), url)] : []),
  ];
}

/** The release that made it, as its installer image tells. */
const releaseOf = (text: string): TalosVersion | undefined => {
  const tag = /image: \S*installer\S*:(v[\w.-]+)/.exec(text)?.[1];
  return KNOWN_RELEASES.find((release) => release === tag);
};
