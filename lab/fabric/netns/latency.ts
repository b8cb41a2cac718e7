import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { Failure, textOf } from '../../../src/base/failure.ts';
import type { Disturbance, Party } from '../types.ts';
import { ip, type Place, withSbin } from './commands.ts';
import { found } from './unshared.ts';

const TUN = '/dev/net/tun';

/** What one party sends to another, and how much longer it takes. */
export interface Lane {
  readonly from: Party;
  readonly to: Party;
  readonly ms: number;
}

/** A lane with the link that its packets make a detour over, and the mark they are led there by. */
export interface Detour extends Lane {
  readonly link: string;
  readonly mark: number;
}

export interface Delay {
  readonly detours: readonly Detour[];
  /** What is still held is let go; links, routes and rules are gone. Nothing may be led there any more. */
  end(): Promise<void>;
}

/** One lane for each direction that has latency; what several rules say adds up. */
export function lanesOf(rules: readonly Disturbance[]): readonly Lane[] {
  const lanes = new Map<string, Lane>();
  for (const rule of rules) {
    if (rule.kind !== 'latency') continue;
    const both = [[rule.from, rule.to], ...(rule.oneWay ? [] : [[rule.to, rule.from]])];
    for (const [from = '', to = ''] of both) {
      const key = JSON.stringify([from, to]);
      lanes.set(key, { from, to, ms: rule.ms + (lanes.get(key)?.ms ?? 0) });
    }
  }
  return [...lanes.values()];
}

/**
 * Reads packets from TUN links, writes each back when its time has come. Python, as Node cannot make the ioctl that a TUN
 * link is made with. Ends when its stdin does, so it never outlives the lab; what it holds then goes on at once.
 */
const PROGRAM = `
import fcntl, heapq, os, select, struct, sys, time
lanes = {}
for word in sys.argv[1:]:
    name, ms = word.split(':')
    fd = os.open('${TUN}', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1001))
    lanes[fd] = float(ms) / 1000
print('ready', flush=True)
held, count, ended = [], 0, False
while held or not ended:
    now = time.monotonic()
    while held and (ended or held[0][0] <= now):
        _, _, fd, packet = heapq.heappop(held)
        try: os.write(fd, packet)
        except OSError: pass
    if ended: break
    wait = None if not held else max(0, held[0][0] - time.monotonic())
    ready, _, _ = select.select([0, *lanes], [], [], wait)
    now = time.monotonic()
    for fd in ready:
        if fd == 0:
            ended = True
            continue
        try:
            while len(held) < 50000:
                heapq.heappush(held, (now + lanes[fd], count, fd, os.read(fd, 65536)))
                count += 1
        except OSError: pass
`;

/** Why packets cannot be held back here; undefined = they can. */
export function whyNoLatency(env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!found('python3', withSbin(env)['PATH'])) return 'python3 is not on PATH (Debian: apt-get install python3)';
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return `${TUN} cannot be opened, and the kernel part that holds packets back (netem) is not used`;
  }
}

let made = 0;

/** Makes the links in the router, with a process that holds back what is led over them. Nothing is led there yet. */
export async function startDelay(router: Place, lanes: readonly Lane[]): Promise<Delay> {
  const why = whyNoLatency(process.env);
  if (why !== undefined) throw refused(why);
  const detours = lanes.map((lane): Detour => {
    made += 1;
    return { ...lane, link: `t${made}`, mark: 20_000 + made };
  });
  const words = detours.map(({ link, ms }) => `${link}:${ms}`);
  const command = ['--pdeathsig', 'KILL', 'nsenter', `--net=${router.file}`, 'python3', '-c', PROGRAM, ...words];
  const child = spawn('setpriv', command, { stdio: ['pipe', 'pipe', 'pipe'], env: withSbin(process.env) });
  child.stdin.on('error', () => {});
  const rules = (verb: 'add' | 'del'): string[] =>
    detours.map(({ mark }) => `rule ${verb} fwmark ${mark} pref ${mark} table ${mark}`);
  const routes = detours.map(({ link, mark }) => `route add default dev ${link} table ${mark}`);
  try {
    await isReady(child);
    const up = detours.flatMap(({ link }) => [`link set ${link} addrgenmode none`, `link set ${link} up`]);
    await ip(router, [...up, ...routes, ...rules('add')]);
    await ip(router, [...routes, ...rules('add')], 6);
  } catch (error) {
    child.kill('SIGKILL');
    throw error instanceof Failure ? error : refused(textOf(error));
  }
  return {
    detours,
    async end() {
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.stdin.end();
      await gone;
      await ip(router, rules('del'));
      await ip(router, rules('del'), 6);
    },
  };
}

async function isReady(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', () => reject(new Error(said.trim().split('\n').at(-1) ?? 'its process ended')));
  });
}

const refused = (why: string): Failure =>
  new Failure({
    code: 'fault-not-here',
    what: 'Latency cannot be made in this lab',
    why,
    state: 'Nothing was changed.',
    next: 'Use loss or partition, or a lab on the loopback fabric.',
  });
