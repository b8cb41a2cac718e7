import { gzipSync } from 'node:zlib';
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

const BLOCK = 512;

/** A gzip-compressed tar (ustar) with one file. */
export function tarGz(name: string, content: string, modified: Date): Uint8Array {
  const body = Buffer.from(content, 'utf8');
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(name, 0, 100, 'utf8');
  header.write(octal(0o600, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(body.length, 11), 124);
  header.write(octal(Math.floor(modified.getTime() / 1000), 11), 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
  return gzipSync(Buffer.concat([header, body, padding, Buffer.alloc(2 * BLOCK)]));
}
