// An HTTP server that does nothing but send so many bytes: what is slow here too is the computer's, not the cloud's.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudReady } from './cloud.ts';
import { serve } from './child.ts';

const answer = JSON.stringify('x'.repeat(Number(process.argv[2] ?? 2)));
const server = createServer((request, response) => {
  request.resume().on('end', () => response.end(answer));
});
server.listen({ host: '127.0.0.1', port: 0 });
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
serve({ url, token: '', servers: [1], floatingIP: 1 } satisfies CloudReady, {}, async () => {
  server.close();
  server.closeAllConnections();
});
