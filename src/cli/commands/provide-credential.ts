import os from 'node:os';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { EXIT, Failure } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import type { LoadedConfig } from '../../config/loaded.ts';
import { kubeconfigStanding } from '../../consumers/kubeconfig/desired.ts';
import { fetchKubeconfig } from '../../consumers/kubeconfig/fetch.ts';
import { mergeKubeconfig } from '../../consumers/kubeconfig/merge.ts';
import { observeKubeconfig } from '../../consumers/kubeconfig/read.ts';
import { desiredTalosconfig, type TalosconfigLists } from '../../consumers/talosconfig/desired.ts';
import { setTalosconfigLists } from '../../consumers/talosconfig/write.ts';
import { wantedEndpoint } from '../../model/address.ts';
import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { KubeconfigObservation, Observation } from '../../model/observation.ts';
import { observe } from '../../observe/observe.ts';
import type { Systems } from '../../observe/systems.ts';

export interface CredentialRequest {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Write this one alone. */
  readonly file: string | undefined;
  /** Nothing is written; the text is handed back to be printed. */
  readonly stdout: boolean;
  readonly context: string | undefined;
  readonly signal: AbortSignal;
}

export interface CredentialResult {
  readonly text: Redacted;
  readonly file: string;
  readonly context: string | undefined;
  readonly written: boolean;
  readonly summary: string;
}

/** What `fairlead kubeconfig` and `fairlead talosconfig` do: look, and write only what is not right already. */
export async function provideCredential(
  kind: 'kubeconfig' | 'talosconfig',
  systems: Systems,
  loaded: LoadedConfig,
  request: CredentialRequest,
): Promise<CredentialResult> {
  const observation = await observe(systems, loaded, request.signal);
  return kind === 'kubeconfig'
    ? provideKubeconfig(systems, loaded, request, observation)
    : provideTalosconfig(systems, loaded, request, observation);
}

const homeOf = (request: CredentialRequest): string => request.env['HOME'] ?? os.homedir();

/** The files the user's own tools look into: those of a list, else the default under home. */
function ownFiles(request: CredentialRequest, variable: string, fallback: string): string[] {
  const listed = (request.env[variable] ?? '').split(path.delimiter).filter((name) => name !== '');
  const names = listed.length > 0 ? listed : [path.join(homeOf(request), fallback)];
  return names.map((name) => path.resolve(request.cwd, name));
}

async function provideKubeconfig(
  systems: Systems,
  loaded: LoadedConfig,
  request: CredentialRequest,
  observation: Observation,
): Promise<CredentialResult> {
  const wanted = wantedEndpoint(observation.cloud, loaded);
  const plane = controlPlanes(observation).find(
    (node) => node.address !== undefined && valueOf(node.config)?.endpoint === wanted?.url,
  );
  if (wanted === undefined || plane?.address === undefined) {
    throw new Failure({
      code: 'endpoint-not-in-force',
      exit: EXIT.refused,
      what: 'There is no endpoint to write yet',
      why:
        wanted === undefined
          ? 'the address is not reserved, or cannot be told'
          : `no control plane that answers has ${wanted.url} as its endpoint`,
      state: 'Nothing was changed.',
      next: 'Run `fairlead apply` first; `fairlead verify` tells what is missing.',
    });
  }
  const address = plane.address;
  const fetch = (): Promise<Redacted> => fetchKubeconfig(systems, address, wanted.url, request.signal);
  if (request.stdout) {
    return { text: await fetch(), file: '-', context: undefined, written: false, summary: '' };
  }
  const now = systems.clock.wall();
  const look = (where: string): Promise<KubeconfigObservation> =>
    observeKubeconfig(
      systems.files,
      { file: where, context: request.context },
      systems.kubeContext.ca,
      now.toISOString(),
    );
  const there = await kubeconfigThere(request, look);
  const { file } = there;
  if (there.content.kind === 'unknown' && request.file === undefined) throw notOurs(file, there.content.why);
  const content = valueOf(there.content);
  const standing = kubeconfigStanding(content?.entry, wanted.url, now);
  if (content !== undefined && standing.kind === 'right') {
    return {
      text: content.text,
      file,
      context: content.entry?.context,
      written: false,
      summary: 'right already, nothing written',
    };
  }
  // Minting an administrator's certificate is the one thing here that cannot be taken back: only when it is needed.
  const fetched = await fetch();
  const existing = request.file === undefined ? content?.text.reveal() : undefined;
  const text = new Redacted(mergeKubeconfig(existing, fetched.reveal(), request.context));
  await systems.files.write(file, text.reveal(), 0o600);
  const context = valueOf((await look(file)).content)?.entry?.context;
  const use = context === undefined ? '' : `; use it with kubectl --context ${context}`;
  return { text, file, context, written: true, summary: `leads to ${wanted.url}${use}` };
}

/** The file that was asked for; of the user's own ones that which knows the cluster already, as kubectl does, else the first. */
async function kubeconfigThere(
  request: CredentialRequest,
  look: (file: string) => Promise<KubeconfigObservation>,
): Promise<KubeconfigObservation> {
  if (request.file !== undefined) return look(path.resolve(request.cwd, request.file));
  const files = ownFiles(request, 'KUBECONFIG', '.kube/config');
  const seen = await Promise.all(files.map(look));
  const known = seen.find((one) => valueOf(one.content)?.entry !== undefined) ?? seen[0];
  if (known === undefined) throw new TypeError('there is always a file to write to');
  return known;
}

async function provideTalosconfig(
  systems: Systems,
  loaded: LoadedConfig,
  request: CredentialRequest,
  observation: Observation,
): Promise<CredentialResult> {
  const planes = controlPlanes(observation).flatMap((node) => (node.address === undefined ? [] : [node.address]));
  if (planes.length === 0) {
    throw new Failure({
      code: 'no-control-planes',
      exit: EXIT.refused,
      what: 'No control plane is known',
      why: observation.membership.kind === 'unknown' ? observation.membership.why : 'Talos named none',
      state: 'Nothing was changed.',
      next: 'Check that talos.config belongs to this cluster and that a control plane can be reached.',
    });
  }
  const own = new Set(observation.nodes.flatMap((node) => node.ownAddresses));
  const source = systems.talosContext;
  const lists = (entry: TalosconfigLists): TalosconfigLists => desiredTalosconfig(entry, planes, own) ?? entry;
  // The credentials are those in use; only the addresses are looked after.
  const alone = setTalosconfigLists(
    onlyContext(loaded.talosconfig.text.reveal(), source.name, request.context),
    request.context ?? source.name,
    lists(source),
  );
  if (request.stdout) {
    return { text: new Redacted(alone), file: '-', context: source.name, written: false, summary: '' };
  }
  const file =
    request.file === undefined
      ? (ownFiles(request, 'TALOSCONFIG', '.talos/config')[0] ?? '')
      : path.resolve(request.cwd, request.file);
  const existing = await systems.files.read(file);
  const text = request.file === undefined && existing !== undefined ? mergeTalosconfig(existing, alone, file) : alone;
  const context = request.context ?? source.name;
  if (text === existing) {
    return { text: new Redacted(text), file, context, written: false, summary: 'right already, nothing written' };
  }
  await systems.files.write(file, text, 0o600);
  return { text: new Redacted(text), file, context, written: true, summary: `names ${planes.join(', ')}` };
}

/** A talosconfig with this one context, under the name that was asked for. */
function onlyContext(text: string, name: string, asked: string | undefined): string {
  const document = parseDocument(text);
  const context: unknown = document.getIn(['contexts', name]);
  const target = asked ?? name;
  document.set('contexts', document.createNode({}));
  document.setIn(['contexts', target], context);
  document.set('context', target);
  return document.toString({ lineWidth: 0 });
}

/** Puts the one context into an existing file; the others, the active one among them, stay as they are. */
function mergeTalosconfig(existing: string, alone: string, file: string): string {
  const document = parseDocument(existing);
  if (document.errors.length > 0) throw notOurs(file, document.errors[0]?.message ?? 'no YAML');
  const addition = parseDocument(alone).toJS() as { context: string; contexts: Record<string, unknown> };
  const body = addition.contexts[addition.context];
  const before: unknown = document.toJS();
  const contexts =
    typeof before === 'object' && before !== null && 'contexts' in before
      ? (before.contexts as Record<string, unknown>)
      : {};
  if (JSON.stringify(contexts[addition.context]) === JSON.stringify(body)) return existing;
  document.setIn(['contexts', addition.context], document.createNode(body));
  if (typeof document.get('context') !== 'string') document.set('context', addition.context);
  return document.toString({ lineWidth: 0 });
}

const notOurs = (file: string, why: string): Failure =>
  new Failure({
    code: 'credential-file',
    exit: EXIT.usage,
    what: `${file} cannot be merged into`,
    why,
    state: 'Nothing was changed.',
    next: 'Mend the file, choose another context with --context NAME, or write one alone with --file FILE.',
  });
