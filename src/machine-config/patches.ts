import { MachineConfigError } from './error.ts';
import { documentLines, type Content } from './edit/render.ts';
import { type IssuerPin, pinArguments } from './edit/issuer.ts';
import { legacyVip, vipDocument } from './edit/vip.ts';
import type { Form } from './form.ts';
import { minorOf } from './version.ts';

/** One patch file of a provisioner's repository: a strategic merge patch, below `talos/`. */
export interface RepositoryPatch {
  readonly folder: 'cluster' | 'control-planes' | 'workers';
  /** `<verb>-<purpose>.yaml` */
  readonly file: string;
  readonly text: string;
}

/** What new nodes must come up with. */
export interface RepositoryWish {
  /** The exact endpoint string. */
  readonly endpoint: string;
  /** Names for the API server's certificate: the address, the DNS name, the host of the endpoint before. */
  readonly certSANs: readonly string[];
  /** Names for the certificate of Talos' own API, on every node; often none. */
  readonly machineCertSANs?: readonly string[];
  /** Undefined where no issuer needs to stay. */
  readonly issuer?: IssuerPin;
  /** Undefined where Talos does not hold the address. */
  readonly vip?: {
    readonly ip: string;
    readonly link: string;
    /** Whether the link's own address comes by DHCP; counts in the legacy form. */
    readonly dhcp: boolean;
    /** Name of the variable that holds the Hetzner token; the patch carries `${NAME}`, never the token. */
    readonly tokenVariable: string;
  };
}

/** In which form the provisioner's generated configurations have their settings. */
export interface RepositoryForms {
  readonly cluster: Form;
  readonly vip: Form;
}

/** The forms of a freshly generated configuration: Kubernetes documents from Talos 1.14, VIP documents from 1.12. */
export function formsOf(version: string): RepositoryForms {
  const minor = minorOf(version);
  return { cluster: minor >= 14 ? 'document' : 'legacy', vip: minor >= 12 ? 'document' : 'legacy' };
}

type Body = { readonly [key: string]: Content };

const HABITS = { step: 2, dash: 2 };
const kubernetes = (kind: string, fields: Body): Body => ({ apiVersion: 'v1alpha1', kind, ...fields });

function patch(
  folder: RepositoryPatch['folder'],
  file: string,
  header: readonly string[],
  bodies: readonly Body[],
): RepositoryPatch {
  const documents = bodies.map((body) => `${documentLines(body, HABITS).join('\n')}\n`);
  return { folder, file, text: `${header.map((line) => `# ${line}\n`).join('')}${documents.join('---\n')}` };
}

/** The endpoint, for every node. */
export function endpointPatch(endpoint: string, form: Form): RepositoryPatch {
  const body =
    form === 'document' ? kubernetes('KubeClusterConfig', { endpoint }) : { cluster: { controlPlane: { endpoint } } };
  return patch(
    'cluster',
    'set-endpoint.yaml',
    ['The Kubernetes API endpoint. It outlives any single control plane.'],
    [body],
  );
}

/** Names for the API server's certificate, for control planes. */
export function certSANsPatch(names: readonly string[], form: Form): RepositoryPatch {
  const body =
    form === 'document'
      ? kubernetes('KubeAPIServerConfig', { certExtraSANs: names })
      : { cluster: { apiServer: { certSANs: names } } };
  const header = [
    'Names the API server answers to. The host of the endpoint before stays listed:',
    'Talos would drop it from the certificate with the endpoint.',
  ];
  return patch('control-planes', 'list-api-server-names.yaml', header, [body]);
}

/** Names for the certificate of Talos' own API, for every node. */
export function machineCertSANsPatch(names: readonly string[]): RepositoryPatch {
  return patch(
    'cluster',
    'list-talos-api-names.yaml',
    ["Names that Talos' own API answers to."],
    [{ machine: { certSANs: names } }],
  );
}

/** The issuer that stays when the endpoint changes, for control planes. */
export function issuerPatch(pin: IssuerPin, form: Form): RepositoryPatch {
  const audiences = [...new Set([pin.issuer, ...pin.audiences])];
  const body =
    form === 'document'
      ? kubernetes('KubeServiceAccountConfig', { issuer: { issuerURL: pin.issuer }, accepted: { audiences } })
      : { cluster: { apiServer: { extraArgs: pinArguments(pin) } } };
  const header = [
    'Service-account tokens keep the issuer they have always had: it would follow the endpoint,',
    'and every token in use would be refused.',
  ];
  return patch('control-planes', 'pin-token-issuer.yaml', header, [body]);
}

/** The virtual IP, for control planes. The token stands as a reference that the provisioner resolves. */
export function vipPatch(vip: NonNullable<RepositoryWish['vip']>, form: Form): RepositoryPatch {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(vip.tokenVariable)) {
    throw new MachineConfigError('edit', `${JSON.stringify(vip.tokenVariable)} is no name of a variable`);
  }
  const token = `\${${vip.tokenVariable}}`;
  const entry: Body = { interface: vip.link, ...(vip.dhcp ? { dhcp: true } : {}), vip: legacyVip(vip.ip, token) };
  const body =
    form === 'document' ? vipDocument(vip.ip, vip.link, token) : { machine: { network: { interfaces: [entry] } } };
  return patch(
    'control-planes',
    'hold-endpoint-address.yaml',
    ['Talos moves the floating IP to a control plane that is alive. The token is a reference.'],
    [body],
  );
}

/**
 * The patch files that make new nodes come up as the live ones are now, for a repository whose provisioner applies every file as
 * a strategic merge patch: first `cluster`, then the folder of the node's role. Files that say nothing are left out.
 */
export function toPatches(wish: RepositoryWish, forms: RepositoryForms): readonly RepositoryPatch[] {
  const { machineCertSANs = [], issuer, vip } = wish;
  return [
    endpointPatch(wish.endpoint, forms.cluster),
    ...(machineCertSANs.length === 0 ? [] : [machineCertSANsPatch(machineCertSANs)]),
    ...(wish.certSANs.length === 0 ? [] : [certSANsPatch(wish.certSANs, forms.cluster)]),
    ...(issuer === undefined ? [] : [issuerPatch(issuer, forms.cluster)]),
    ...(vip === undefined ? [] : [vipPatch(vip, forms.vip)]),
  ];
}
