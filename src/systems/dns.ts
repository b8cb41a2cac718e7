import { lookup, Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';

/** Longest wait for one DNS server, and how many times it is asked. */
const TIMEOUT_MS = 1_500;
const TRIES = 2;

/**
 * Gives the addresses that a name leads to, v4 and v6, each once. Asks the servers that are given (`address` or `address:port`), or
 * whom this machine asks (its hosts file included) where there is none. An address leads to itself. Throws Node's DNS error.
 */
export function createResolver(servers: readonly string[]): (name: string) => Promise<readonly string[]> {
  return async (name) => {
    if (isIP(name) !== 0) return [name];
    if (servers.length === 0) {
      return [...new Set((await lookup(name, { all: true })).map((found) => found.address))];
    }
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    resolver.setServers(servers);
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0 && four.status === 'rejected') throw four.reason;
    return [...new Set(found)];
  };
}

/** The same resolver in the form in which sockets ask. */
export const lookupBy =
  (resolve: (name: string) => Promise<readonly string[]>): LookupFunction =>
  (name, options, callback) => {
    resolve(name).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }));
        const [first] = found;
        if (options.all === true) callback(null, found);
        else if (first !== undefined) callback(null, first.address, first.family);
        else callback(Object.assign(new Error(`${name} leads nowhere`), { code: 'ENOTFOUND' }), '');
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), ''),
    );
  };
