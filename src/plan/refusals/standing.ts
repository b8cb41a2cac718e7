import { controlPlanes } from '../../model/cluster.ts';
import { isIPv4, parseEndpoint } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import type { Refusal } from '../../model/plan.ts';
import { leftBehind, memberRemoval } from '../degraded.ts';
import type { Judge } from './judge.ts';

/** How the cluster stands before anything: clocks, versions, forms of what is written. */

/** Certificates are made valid from now on, and leases are counted, by the clock of whoever does it. Five minutes is what TLS stacks and Kerberos allow each other. */
export const CLOCK_LIMIT_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;

const minutes = (ms: number): string => `${Math.round(Math.abs(ms) / 6_000) / 10} min ${ms < 0 ? 'behind' : 'ahead'}`;

export const clocks: Judge = ({ observation }) => {
  const told = observation.nodes.flatMap((node) => {
    const clock = node.clock === undefined ? undefined : valueOf(node.clock);
    return clock === undefined ? [] : [{ node, clock }];
  });
  const nodes = told
    .filter(({ clock }) => Math.abs(clock.offsetMs) > CLOCK_LIMIT_MS)
    .map(({ node, clock }): Refusal => ({
      code: 'clock-off',
      what: `The clock of ${node.name} is ${minutes(clock.offsetMs)}`,
      why: `compared with ${clock.server}; more than ${CLOCK_LIMIT_MS / 60_000} min makes new certificates invalid elsewhere and leases end at the wrong time`,
      next: `Let it reach its time server (talosctl -n ${node.address ?? node.name} get timestatus; machine.time.servers, UDP 123), then plan again.`,
    }));
  const [here] = told.filter(({ clock }) => Math.abs(clock.referenceMs) > CLOCK_LIMIT_MS);
  if (here === undefined) return nodes;
  return [
    ...nodes,
    {
      code: 'clock-of-this-machine-off',
      what: `The clock of this machine is ${minutes(-here.clock.referenceMs)}`,
      why: `compared with ${here.clock.server}, as ${here.node.name} sees it; certificates and the lock are judged by it`,
      next: 'Set the clock of this machine (NTP), then plan again.',
    },
  ];
};

const minor = (version: string): string => /^v?(\d+\.\d+)/.exec(version)?.[1] ?? version;

/** Control planes in the middle of an upgrade take the same config differently: the issuer's form, the VIP's form. */
export const versions: Judge = ({ observation }) => {
  const told = controlPlanes(observation).flatMap((node) => {
    const version = valueOf(node.talosVersion);
    return version === undefined ? [] : [{ name: node.name, version }];
  });
  if (new Set(told.map(({ version }) => minor(version))).size < 2) return [];
  return [
    {
      code: 'versions-differ',
      what: 'The control planes run different Talos versions',
      why: `${told.map(({ name, version }) => `${name} ${version}`).join(', ')}: how an issuer and a VIP are written depends on the version, so an upgrade that is half done is finished first`,
      next: 'Bring every control plane to one minor version (talosctl upgrade), then plan again.',
    },
  ];
};

/** A VIP never acts on a worker, and its token lies there for nothing. */
export const workerVips: Judge = ({ observation }) =>
  observation.nodes.flatMap((node): Refusal[] => {
    const vips = node.role === 'worker' ? (valueOf(node.config)?.vips ?? []) : [];
    if (vips.length === 0) return [];
    return [
      {
        code: 'vip-on-worker',
        what: `The worker ${node.name} has a VIP entry for ${vips.map((vip) => vip.ip).join(', ')}`,
        why: 'Talos refuses the old form (vip below machine.network.interfaces) on a worker in every version, and accepts HCloudVIPConfig there from 1.12 on, where it never acts; whoever reads that config has the token',
        next: `Take the entry out of the machine config of ${node.name}, and of the patches for workers, then plan again.`,
      },
    ];
  });

/** The endpoint that is written down now must be one that a certificate and an issuer can be made for. */
export const currentEndpoints: Judge = ({ observation }) =>
  observation.nodes.flatMap((node): Refusal[] => {
    const endpoint = valueOf(node.config)?.endpoint;
    if (endpoint === undefined) return [];
    const trouble = endpointTrouble(endpoint);
    if (trouble === undefined) return [];
    return [
      {
        code: 'endpoint-form',
        what: `The endpoint of ${node.name}, ${endpoint}, is no https://host:port`,
        why: trouble,
        next: 'Write cluster.controlPlane.endpoint as https://host:port on every node; where tokens carry the old text as issuer, pin it first (service-account-issuer).',
      },
    ];
  });

function endpointTrouble(endpoint: string): string | undefined {
  const place = parseEndpoint(endpoint);
  if (place === undefined) return 'it is no URL';
  const url = new URL(endpoint);
  if (url.protocol !== 'https:') return 'an API server speaks TLS only';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return 'clients would append their paths to it';
  if (!/:\d+$/.test(endpoint.replace(/\/$/, '')))
    return 'without a port kubeconfigs mean 443, and KubePrism takes 443 too, where no API server of Talos listens';
  return undefined;
}

/** Names that a certificate already uses for something else. */
const TAKEN = /^(localhost|kubernetes(\.default(\.svc(\..+)?)?)?)$/i;

export const names: Judge = ({ observation, loaded, ip, provisional }) => {
  const { host } = loaded.config.endpoint;
  const next = 'Choose a name of its own for endpoint.host in fairlead.yaml.';
  const collisions: Refusal[] = [];
  const refuse = (what: string, why: string): void => void collisions.push({ code: 'name-collides', what, why, next });
  if (host !== undefined && TAKEN.test(host))
    refuse(
      `The endpoint cannot be called ${host}`,
      'the certificate of every API server uses that name for the service inside the cluster',
    );
  for (const node of observation.nodes) {
    if (host !== undefined && host.toLowerCase() === node.name.toLowerCase())
      refuse(
        `The endpoint has the name of a node, ${host}`,
        `the certificate of ${node.name} alone would be right for it, and it would lead to that node`,
      );
    if (host !== undefined && isIPv4(host) && node.ownAddresses.includes(host))
      refuse(`endpoint.host ${host} is an own address of ${node.name}`, 'it dies with that node');
    if (!provisional && node.ownAddresses.includes(ip))
      refuse(
        `${ip} is an own address of ${node.name}`,
        'an address that moves cannot be one that a node has for itself',
      );
  }
  return collisions;
};

/** The certificate with which Talos is spoken to must last for the run; without it there would be no way on and none back. */
export const talosCertificate: Judge = ({ observation }) => {
  const ends = observation.talosCertificateEnds;
  if (ends === undefined || Date.parse(ends) - Date.parse(observation.at) > HOUR_MS) return [];
  return [
    {
      code: 'talosconfig-ends',
      what: 'The certificate of the talosconfig ends too soon',
      why: `it ends at ${ends}, within the hour that a run and its undo may need`,
      next: 'Make a new one while it still works: talosctl config new --roles os:admin FILE.',
    },
  ];
};

/** A control plane made anew cannot join etcd while the member of the machine before it is still listed under its name. */
export const membersLeftBehind: Judge = ({ observation }) =>
  leftBehind(observation).map(({ node, urls }): Refusal => ({
    code: 'member-left-behind',
    what: `etcd still has the member of the machine that was ${node.name} before`,
    why: `its peer address ${urls.join(', ')} is none of ${node.name} now, so the new machine cannot join and the quorum counts one that is gone`,
    next: `Take it out: ${memberRemoval(node, observation) ?? 'talosctl etcd remove-member'}; fairlead removes no member. ${node.name} then joins by itself (talosctl -n ${node.address ?? node.name} service etcd); plan again when it has.`,
  }));
