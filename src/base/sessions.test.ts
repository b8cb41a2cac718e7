import { once } from 'node:events';
import { createServer } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { HeardSessions } from './sessions.ts';

it('a session that fails after its manager has given it up ends its calls and not the process', async () => {
  const server = createServer();
  server.on('sessionError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const sessions = new HeardSessions(`http://127.0.0.1:${port}`);
  try {
    const stream = await sessions.request('POST', '/', {}, {});
    const ended = once(stream, 'error');
    const { session } = stream;
    // What connect-node leaves of a session that it gives up: none of its own listeners.
    const late = new ConnectError('PING timed out', Code.Unavailable);
    sessions.abort(late);
    expect(session?.emit('error', late)).toBe(true);
    expect(session?.emit('error', late)).toBe(true);
    expect(await ended).toHaveLength(1);
  } finally {
    server.close();
  }
});
