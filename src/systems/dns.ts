import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

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
