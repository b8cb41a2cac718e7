import { stringify } from 'yaml';
import { toBase64 } from '../../pki/keys.ts';
import { kubernetesAdmin } from '../control-plane/certificates.ts';
import type { Derived } from '../config/types.ts';
import type { Machine } from '../machine.ts';

/** The kubeconfig that a control plane gives: its own endpoint verbatim, a fresh administrator's certificate. */
export async function adminKubeconfig(machine: Machine, derived: Derived): Promise<string> {
  const admin = await kubernetesAdmin(machine.ports.clock, derived);
  const name = derived.clusterName;
  const user = `admin@${name}`;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name,
          cluster: { server: derived.endpoint, 'certificate-authority-data': toBase64(derived.pki.clusterCA.crt) },
        },
      ],
      users: [
        {
          name: user,
          user: { 'client-certificate-data': toBase64(admin.cert), 'client-key-data': toBase64(admin.key) },
        },
      ],
      contexts: [{ context: { cluster: name, namespace: 'default', user }, name: user }],
      'current-context': user,
    },
    { lineWidth: 0 },
  );
}
