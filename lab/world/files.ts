import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { stringify } from 'yaml';
import type { KeyPair } from '../pki/types.ts';

export interface CredentialSpec {
  readonly cluster: string;
  readonly endpoint: string;
  readonly clusterCA: string;
  readonly admin: KeyPair;
  readonly machineCA: string;
  readonly talosAdmin: KeyPair;
  readonly controlPlanes: readonly string[];
  readonly hetznerUrl: string;
  readonly token: string;
  readonly nodeToken: string;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The files a user of the cluster would have: as talosctl writes them, and a fairlead.yaml that names nothing outside. */
export async function writeUserFiles(dir: string, spec: CredentialSpec): Promise<void> {
  const context = `admin@${spec.cluster}`;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: spec.cluster,
        cluster: { server: spec.endpoint, 'certificate-authority-data': base64(spec.clusterCA) },
      },
    ],
    users: [
      {
        name: context,
        user: {
          'client-certificate-data': base64(spec.admin.cert),
          'client-key-data': base64(spec.admin.key),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: spec.cluster, namespace: 'default', user: context } }],
    'current-context': context,
  };
  const talosconfig = {
    context: spec.cluster,
    contexts: {
      [spec.cluster]: {
        endpoints: spec.controlPlanes,
        nodes: spec.controlPlanes,
        ca: base64(spec.machineCA),
        crt: base64(spec.talosAdmin.cert),
        key: base64(spec.talosAdmin.key),
      },
    },
  };
  // A key of the lab's own: nothing of a rehearsal is left in the user's home.
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const config = `apiVersion: fairlead/v1alpha1
kind: Cluster
name: ${spec.cluster}
mode: talos-vip
endpoint:
  port: 6443
address:
  create:
    name: ${spec.cluster}-api
    location: fsn1
hetzner:
  token: file:hetzner-token
  endpoint: ${spec.hetznerUrl}
talosVip:
  token: file:vip-token
talos:
  config: file:talosconfig
kubernetes:
  kubeconfig: file:kubeconfig
consumers:
  kubeconfig:
    - file: kubeconfig
  talosconfig:
    - file: talosconfig
  repository:
    path: provisioner
state: fairlead-state
journal:
  recipients:
    - ${recipient}
  identity: file:age.key
`;
  const write = (name: string, text: string, mode: number): Promise<void> =>
    writeFile(path.join(dir, name), text, { mode });
  await write('kubeconfig', stringify(kubeconfig, { lineWidth: 0 }), 0o600);
  await write('talosconfig', stringify(talosconfig, { lineWidth: 0 }), 0o600);
  await write('hetzner-token', `${spec.token}\n`, 0o600);
  await write('age.key', `# public key: ${recipient}\n${identity}\n`, 0o600);
  await write('vip-token', `${spec.nodeToken}\n`, 0o600);
  await write('fairlead.yaml', config, 0o644);
}
