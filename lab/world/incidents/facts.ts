import { readFile } from 'node:fs/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { textOf } from '../../../src/base/failure.ts';
import { MachineService } from '../../../src/generated/machine/machine_pb.ts';
import { createEtcdClient } from '../../kubernetes/etcd/client.ts';
import { standardKey } from '../../pki/keys.ts';
import { callCloud, type IncidentPorts } from './ports.ts';
import { ask } from './probe.ts';
import type { FactReport, IncidentFact } from './types.ts';
import { kubernetesAdmin, talosAdmin } from './user-files.ts';

/** Far longer than an answer takes, loaded machines included. */
const ASK_MS = 1_500;

/** Looks a fact up. `fill` puts this world's names into its texts. */
export async function lookUp(
  fact: IncidentFact,
  ports: IncidentPorts,
  fill: (text: string) => string,
  token: string | undefined,
): Promise<FactReport> {
  const { state } = ports.info();
  if ('ask' in fact) {
    const url = fill(fact.ask);
    const { ca, cert, key } = await kubernetesAdmin(state);
    const credential =
      fact.as === 'admin' ? { cert, key } : fact.as === 'token' && token !== undefined ? { token } : {};
    const sight = await ask({ url, ca, ...credential, timeoutMs: ASK_MS });
    const says = fact.says === undefined ? undefined : fill(fact.says);
    const said = says !== undefined && sight.text.includes(says) ? ` "${says}"` : '';
    return {
      what: `${url} as ${fact.as}`,
      expected: `${fact.sees.join(' or ')}${says === undefined ? '' : ` "${says}"`}`,
      found: `${sight.seen}${said}`,
      holds: fact.sees.some((seen) => seen === sight.seen) && (says === undefined || said !== ''),
    };
  }
  if ('talos' in fact) {
    const sees = fill(fact.sees);
    const node = fact.node === undefined ? undefined : fill(fact.node);
    const found = await askTalos(state, fill(fact.talos), node);
    const what = `Talos API of ${fill(fact.talos)}${node === undefined ? '' : ` for ${node}`}`;
    return { what, expected: sees, found, holds: found.includes(sees) };
  }
  if ('address' in fact) return addressFact(fact.address, ports, fill);
  if ('log' in fact) {
    const name = fill(fact.log);
    const says = fill(fact.says);
    const lines = ports.machines().find(({ server }) => server.name === name)?.node.inside.machine.recentLog ?? [];
    const found = lines.findLast((line) => line.includes(says));
    return { what: `log of ${name}`, expected: says, found: found ?? 'nothing of it', holds: found !== undefined };
  }
  if ('members' in fact) {
    const urls = await peerURLs(ports);
    const peer = fact.peer === undefined ? undefined : fill(fact.peer);
    const holds = urls?.length === fact.members && (peer === undefined || urls.includes(peer));
    return {
      what: 'members of etcd',
      expected: `${fact.members}${peer === undefined ? '' : `, one at ${peer}`}`,
      found: urls === undefined ? 'nobody answers' : `${urls.length}, at ${urls.join(' ')}`,
      holds,
    };
  }
  if ('config' in fact) {
    const name = fill(fact.config);
    const text = ports.machines().find(({ server }) => server.name === name)?.node.inside.machine.active?.text ?? '';
    const wanted = fact.says.map(fill);
    const found = wanted.filter((line) => text.includes(line));
    const show = (lines: readonly string[]): string => lines.join(' ... ');
    return {
      what: `config of ${name}`,
      expected: show(wanted),
      found: show(found),
      holds: found.length === wanted.length,
    };
  }
  const [method = 'GET', path = ''] = fill(fact.cloud).split(' ');
  const answer = await callCloud(ports, method, path);
  const says = fact.says === undefined ? undefined : fill(fact.says);
  return {
    what: `cloud: ${method} ${path}`,
    expected: `${fact.status}${says === undefined ? '' : ` ${says}`}`,
    found: `${answer.status}${says !== undefined && answer.text.includes(says) ? ` ${says}` : ''}`,
    holds: answer.status === fact.status && (says === undefined || answer.text.includes(says)),
  };
}

function addressFact(
  wanted: Extract<IncidentFact, { address: unknown }>['address'],
  ports: IncidentPorts,
  fill: (text: string) => string,
): FactReport {
  const [fip] = ports.info().floatingIPs;
  const told = (who: string | null): string => (who === null ? 'nobody' : fill(who));
  const filled: readonly [string, string][] = [
    ...(wanted.assignedTo === undefined ? [] : [['assignedTo', told(wanted.assignedTo)] satisfies [string, string]]),
    ...(wanted.routedTo === undefined ? [] : [['routedTo', told(wanted.routedTo)] satisfies [string, string]]),
    ...(wanted.claimedBy === undefined
      ? []
      : [['claimedBy', listed(wanted.claimedBy.map(fill))] satisfies [string, string]]),
  ];
  const now: Readonly<Record<string, string>> = {
    assignedTo: fip?.assignedTo ?? 'nobody',
    routedTo: fip?.routedTo ?? 'nobody',
    claimedBy: listed(fip?.claimedBy ?? []),
  };
  const text = (pairs: readonly [string, string][]): string => pairs.map(([name, who]) => `${name} ${who}`).join(', ');
  const found = text(filled.map(([name]) => [name, now[name] ?? '']));
  return { what: `floating IP ${fip?.ip ?? '(none)'}`, expected: text(filled), found, holds: found === text(filled) };
}

const listed = (names: readonly string[]): string =>
  names.length === 0 ? 'nobody' : names.toSorted((a, b) => a.localeCompare(b)).join(' and ');

/** `version vX`, or what went wrong in the words of gRPC or TLS. */
async function askTalos(state: string, address: string, node: string | undefined): Promise<string> {
  const { ca, cert, key } = await talosAdmin(state);
  const baseUrl = `https://${address}:50000`;
  const session = new Http2SessionManager(baseUrl, {}, { ca, cert, key: standardKey(key) });
  try {
    const client = createClient(MachineService, createGrpcTransport({ baseUrl, sessionManager: session }));
    const answer = await client.version(
      {},
      { timeoutMs: ASK_MS, ...(node === undefined ? {} : { headers: { node } }) },
    );
    return `version ${answer.messages[0]?.version?.tag ?? ''}`;
  } catch (error) {
    const told = ConnectError.from(error);
    const cause = told.cause === undefined ? '' : ` ${textOf(told.cause)}`;
    return `${Code[told.code]}: ${told.rawMessage}${cause}`;
  } finally {
    session.abort();
  }
}

async function peerURLs(ports: IncidentPorts): Promise<readonly string[] | undefined> {
  for (const { node } of ports.machines()) {
    const files = node.info().etcd;
    if (files === undefined) continue;
    const [ca = '', cert = '', key = ''] = await Promise.all(
      [files.ca, files.cert, files.key].map((file) => readFile(file, 'utf8')),
    );
    const client = createEtcdClient({ endpoint: files.endpoint, tls: { ca, cert, key }, timeoutMs: ASK_MS });
    try {
      return (await client.members()).map((member) => member.peerURLs[0] ?? '');
    } catch {
      // The next may know.
    } finally {
      client.close();
    }
  }
  return undefined;
}
