import path from 'node:path';
import { stringify } from 'yaml';
import { writeAtomic } from '../../../src/base/files.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { Failure } from '../../../src/base/failure.ts';
import type { Machine } from '../machines.ts';
import { callCloud, type IncidentPorts } from './ports.ts';
import { ask } from './probe.ts';
import { kubernetesAdmin, replaceIn } from './user-files.ts';

const WITHIN_MS = 120_000;

/**
 * Gives the cluster a stable endpoint as an operator does by hand: a floating IP, names and VIP on every control plane, the
 * issuer of before kept, then the endpoint. Nothing is done where the project has a floating IP already.
 */
export async function giveStableAddress(ports: IncidentPorts): Promise<void> {
  const before = ports.info();
  if (before.floatingIPs.length > 0) return;
  const old = before.endpoint;
  const made = await callCloud(ports, 'POST', '/floating_ips', {
    type: 'ipv4',
    home_location: 'fsn1',
    name: `${before.name}-api`,
    labels: { cluster: before.name },
  });
  if (made.status !== 201) throw failed(`the cloud refused the floating IP: ${made.text}`);
  const {
    floating_ip: { id, ip },
  } = JSON.parse(made.text) as { floating_ip: { id: number; ip: string } };
  await callCloud(ports, 'POST', `/floating_ips/${id}/actions/change_protection`, { delete: true });

  const { provisioner } = before.files;
  const talos = before.nodes[0]?.talosVersion ?? '';
  const patch = path.join(provisioner, 'talos', 'control-planes', 'use-stable-address.yaml');
  await writeAtomic(patch, patchText(talos, ip, old));
  const planes = ports.machines().filter(({ node }) => node.role === 'control-plane');
  for (const machine of planes) await rolled(ports, machine);
  await until(ports, 'nobody claims the address', () => {
    const [fip] = ports.info().floatingIPs;
    return fip?.claimedBy.length === 1 && fip.claimedBy[0] === fip.assignedTo && fip.routedTo === fip.assignedTo;
  });

  const endpoint = `https://${ip}:6443`;
  await writeAtomic(
    path.join(provisioner, 'talos', 'cluster', 'use-stable-endpoint.yaml'),
    stringify({ cluster: { controlPlane: { endpoint } } }),
  );
  for (const machine of ports.machines()) await rolled(ports, machine);
  await replaceIn(before.state, 'kubeconfig', old, endpoint);
  await replaceIn(
    before.state,
    'fairlead.yaml',
    `  create:\n    name: ${before.name}-api\n    location: fsn1`,
    `  adopt:\n    ip: ${ip}`,
  );
  const admin = await kubernetesAdmin(before.state);
  await until(ports, 'the endpoint does not answer', async () => {
    const { seen } = await ask({ url: `${endpoint}/readyz`, ...admin, timeoutMs: 2_000 });
    return seen === 'http 200';
  });
}

function patchText(talos: string, ip: string, old: string): string {
  const names = [ip, new URL(old).hostname];
  const legacy = talos.startsWith('v1.11.');
  const device = { interface: 'enp1s0', dhcp: true, vip: { ip, hcloud: { apiToken: '${TALOS_VIP_TOKEN}' } } };
  const config = {
    machine: { certSANs: names, ...(legacy ? { network: { interfaces: [device] } } : {}) },
    cluster: {
      apiServer: {
        certSANs: names,
        extraArgs: { 'service-account-issuer': old, 'api-audiences': `${old},https://${ip}:6443` },
      },
    },
  };
  const vip = {
    apiVersion: 'v1alpha1',
    kind: 'HCloudVIPConfig',
    name: ip,
    link: 'enp1s0',
    apiToken: '${TALOS_VIP_TOKEN}',
  };
  const text = stringify(config, { aliasDuplicateObjects: false });
  return legacy ? text : `${text}---\n${stringify(vip)}`;
}

/** Applies what the provisioner renders now, and waits until the node is ready and its API server is the new one. */
async function rolled(ports: IncidentPorts, { node, server }: Machine): Promise<void> {
  const { uptime, machine } = node.inside;
  if (uptime === undefined) throw failed(`${server.name} is not up`);
  const text = await ports.render(node.role);
  if (text === machine.active?.text) return;
  const args = machine.active?.derived.kubeAPIServerArgs;
  await uptime.inside.apply({ text, mode: 'no-reboot', dryRun: false, tryTimeoutMs: 0 });
  const restarts = node.role === 'control-plane' && String(args) !== String(machine.active?.derived.kubeAPIServerArgs);
  const before = machine.pods.get('kube-apiserver')?.restarts ?? 0;
  await until(ports, `${server.name} does not come to rest`, () => {
    const now = machine.pods.get('kube-apiserver')?.restarts ?? 0;
    return node.info().ready && (!restarts || now > before);
  });
}

async function until(ports: IncidentPorts, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const reached = await waitFor(ports.clock, { everyMs: 50, timeoutMs: WITHIN_MS }, async () =>
    (await holds()) ? true : undefined,
  );
  if (reached === undefined) throw failed(what);
}

const failed = (why: string): Failure =>
  new Failure({
    code: 'lab-incident-start',
    what: 'The starting world of the incident did not come to be',
    why,
    state: 'The lab runs, somewhere on the way.',
    next: 'See `fairlead lab info`; end it with `fairlead lab down` and run the incident again.',
  });
