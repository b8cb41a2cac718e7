// A TLS server that answers one word and says goodbye.
import { once } from 'node:events';
import { createServer } from 'node:tls';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { serve } from './child.ts';

export interface Target {
  readonly ca: string;
}

const [host = '', port = ''] = process.argv.slice(2);
const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
const ca = await createAuthority('ecdsa', { commonName: 'bench', ...validity });
const pair = await issue(ca, { commonName: 'target', dnsNames: ['target'], usages: ['serverAuth'], ...validity });
const server = createServer({ ...pair, noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end('pong'));
});
server.listen({ host, port: Number(port), backlog: 511 });
await once(server, 'listening');
serve({ ca: ca.cert } satisfies Target, {}, async () => server.close());
