import { connect } from 'node:net';

/**
 * Run by the fabric's test as a process of its own, so that its connects really race with what the fabric does: dials
 * address:port without a pause until stdin ends, then prints how often each thing happened.
 */
const [address = '', port = ''] = process.argv.slice(2);
const seen: Record<string, number> = {};
let running = true;
process.stdin.resume();
process.stdin.on('end', () => (running = false));

const attempt = (): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port) });
    const timer = setTimeout(() => done(socket.connecting ? 'swallowed' : 'accepted and silent'), 60);
    const done = (what: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(what);
    };
    socket.on('data', () => done('greeted'));
    socket.on('end', () => done('ended'));
    socket.on('error', (error) => done('code' in error ? String(error.code) : error.message));
  });

await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (running) {
      const what = await attempt();
      seen[what] = (seen[what] ?? 0) + 1;
    }
  }),
);
process.stdout.write(JSON.stringify(seen));
