import { appendFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callCloud } from '../../lab/world/incidents/ports.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { incidentWorld, type IncidentWorld } from './harness.ts';

// What is wrong here is done behind the back of the catalogue: where a fault is set, the lab does not complain of it.
let lab: IncidentWorld;
beforeAll(async () => {
  lab = await incidentWorld(3, 0);
}, 60_000);
afterAll(() => lab?.close());

const check = () => lab.world.check();
const insideOf = (n: number) => {
  const inside = lab.world.incidents.machines()[n]?.node.inside;
  if (inside?.uptime?.controlPlane === undefined) throw new Error(`control plane ${n} is not up`);
  return { ...inside, uptime: inside.uptime, controlPlane: inside.uptime.controlPlane };
};

test('a sound lab is not accused', async () => {
  expect(await check()).toEqual([]);
});

test('a secret in a log is told, with where it stands', async () => {
  const { hetzner } = lab.world.info();
  const log = path.join(lab.state, 'some.log');
  await appendFile(log, `token ${hetzner.nodeToken}\n`);
  expect(await check()).toEqual(['some.log holds the cloud token of the nodes']);
  await writeFile(log, '');
});

test('what listens on an address that is not of the lab is told', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(await check()).toMatchObject([expect.stringContaining('listens on 127.0.0.1:')]);
  server.close();
  await once(server, 'close');
});

test('two who have one address on a link are told', async () => {
  await callCloud(lab.world.incidents, 'POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' });
  const ip = lab.world.info().floatingIPs[0]?.ip ?? '';
  for (const n of [0, 1]) await insideOf(n).uptime.inside.arrived(ip, 'enp1s0');
  expect(await check()).toEqual([expect.stringMatching(`${ip} is on a link of .* and .*, and no fault is set`)]);
  for (const n of [0, 1]) await insideOf(n).uptime.inside.left(ip);
  expect(await check()).toEqual([]);
}, 30_000);

test('a certificate of another authority is told', async () => {
  const { machine, controlPlane } = insideOf(0);
  const { active } = machine;
  if (active === undefined) throw new Error('no config');
  const now = Date.now();
  const valid = { notBefore: new Date(now - 60_000), notAfter: new Date(now + 3_600_000) };
  const authority = await createAuthority('ecdsa', { organization: 'kubernetes', ...valid });
  machine.ailments.servingCertificate = (derived) =>
    issue(authority, { commonName: 'x', ...derived.kubernetesApiCertificate, usages: ['serverAuth'], ...valid });
  await controlPlane.pki.writeKubernetes(active.derived);
  await expect.poll(check, { timeout: 20_000 }).toMatchObject([expect.stringContaining(':6443 is not good')]);
  machine.ailments.servingCertificate = undefined;
  await controlPlane.pki.writeKubernetes(active.derived);
  await expect.poll(check, { timeout: 20_000 }).toEqual([]);
}, 60_000);

test('a member that is no control plane is told by each of the others', async () => {
  const client = insideOf(0).controlPlane.etcd.localClient();
  await expect
    .poll(
      () =>
        client.memberAdd([`https://${lab.world.serviceAddress}:2384`], true).then(
          () => 'added',
          () => 'refused',
        ),
      {
        timeout: 15_000,
      },
    )
    .toBe('added');
  client.close();
  const found = await check();
  expect(found).toHaveLength(3);
  expect(found[0]).toContain('(learner)');
}, 30_000);
