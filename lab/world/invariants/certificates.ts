import { connect } from 'node:tls';
import { fromBase64 } from '../../pki/keys.ts';
import type { Machine } from '../machines.ts';
import type { InvariantPorts } from './check.ts';

const WITHIN_MS = 3_000;

/** Each control plane's API server and Talos API, checked against the authorities that the cluster was founded with. */
export async function certificateViolations({ machines, secrets }: InvariantPorts): Promise<string[]> {
  const kubernetes = fromBase64(secrets.certs.k8s.crt);
  const talos = fromBase64(secrets.certs.os.crt);
  const planes = machines().filter(({ node }) => node.role === 'control-plane');
  const found = await Promise.all(
    planes.flatMap((machine) => [
      untrusted(machine, 6443, kubernetes, machine.server.privateIPv4),
      untrusted(machine, 50_000, talos, machine.server.privateIPv4),
    ]),
  );
  return found.filter((text) => text !== undefined);
}

function untrusted({ server, node }: Machine, port: number, ca: string, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: node.inside.machine.ports.host.hidden,
      port,
      ca,
      ALPNProtocols: ['h2', 'http/1.1'],
      // The certificate names the machine's own addresses, not the hidden one.
      checkServerIdentity: (_host, cert) =>
        cert.subjectaltname?.includes(name) === true ? undefined : new Error(`it does not name ${name}`),
    });
    const end = (text: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => end(`${server.name}:${port} says nothing`), WITHIN_MS);
    socket.once('secureConnect', () => end(undefined));
    socket.once('error', (error) => end(`the certificate of ${server.name}:${port} is not good: ${error.message}`));
  });
}
