import { Failure } from '../../../src/base/failure.ts';
import { createShells, type Shells } from './shells.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** `ip` and `nft` live where a user's PATH may not lead. */
export const withSbin = (env: Env): Env => ({ ...env, PATH: `${env['PATH'] ?? ''}:/usr/sbin:/sbin` });

let shells: Shells | undefined;

/** Ends what waits for commands; the next one starts anew. */
export async function endShells(): Promise<void> {
  const ending = shells;
  shells = undefined;
  await ending?.close();
}

/** Runs a program to its end with `input` on stdin; a Failure with its own words when it fails. */
export async function run(program: string, args: readonly string[], input = ''): Promise<void> {
  shells ??= createShells(withSbin(process.env));
  const { code, said } = await shells.run([program, ...args], input);
  if (code === 0) return;
  throw new Failure({
    code: 'lab-network',
    what: `${program} failed in the lab's network`,
    why: `${said.trim()} (${program} ${args.join(' ')}, exit ${code})`,
    state: 'the lab runs on; its network may be as it was before this change',
    next: 'see lab.log; "fairlead lab down" and "fairlead lab up" make a fresh one',
  });
}

/** One of the lab's network namespaces, by the file that holds it; undefined is the one the lab's process lives in. */
export interface Place {
  readonly file: string | undefined;
}

const inside = (place: Place, command: readonly string[], input: string): Promise<void> => {
  const [program = '', ...args] = place.file === undefined ? command : ['nsenter', `--net=${place.file}`, ...command];
  return run(program, args, input);
};

/**
 * Runs lines of `ip` in a namespace, in one process; the first that fails ends it. The family matters only where a line
 * has no address to tell it by.
 */
export const ip = (place: Place, lines: readonly string[], family: 4 | 6 = 4): Promise<void> =>
  inside(place, ['ip', ...(family === 6 ? ['-6'] : []), '-batch', '-'], `${lines.join('\n')}\n`);

/** Loads a ruleset in a namespace, as one transaction. */
export const nft = (place: Place, rules: string): Promise<void> => inside(place, ['nft', '-f', '-'], rules);

/**
 * What a namespace of the lab forwards and believes: no reverse-path check, since replies take the way of the cloud,
 * and what the lab sends to one of its machines comes back to it.
 */
export const SETTINGS = [
  'ipv4/ip_forward=1',
  'ipv4/conf/all/rp_filter=0',
  'ipv4/conf/default/rp_filter=0',
  'ipv4/conf/all/route_localnet=1',
  'ipv4/conf/all/accept_local=1',
  'ipv6/conf/all/disable_ipv6=0',
  'ipv6/conf/default/disable_ipv6=0',
  'ipv6/conf/all/forwarding=1',
  // Nobody else is on these links: an address is used at once, and stays on a link that goes down, as an IPv4 one does.
  'ipv6/conf/all/accept_dad=0',
  'ipv6/conf/default/accept_dad=0',
  'ipv6/conf/all/keep_addr_on_down=1',
  'ipv6/conf/default/keep_addr_on_down=1',
  'ipv6/conf/default/accept_ra=0',
];

const settle = SETTINGS.map((setting) => {
  const [name = '', value = ''] = setting.split('=');
  return `[ ! -e /proc/sys/net/${name} ] || echo ${value} > /proc/sys/net/${name}`;
}).join('; ');

/** Makes a network namespace that lives as long as its file is mounted. */
export const makePlace = (file: string): Promise<void> =>
  run('sh', ['-ec', `: > "$1"; exec unshare "--net=$1" sh -ec '${settle}'`, 'sh', file]);

/** The same settings for the namespace this process lives in. */
export const settleHere = (): Promise<void> => run('sh', ['-ec', settle]);
