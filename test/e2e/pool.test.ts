import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderConfig } from '../../lab/provisioner/render.ts';
import type { LabInfo, LabNodeInfo } from '../../lab/world/info.ts';
import { fairleadJson, startLab, type TestLab } from './harness.ts';

// Nodes that nobody told the lab of: an autoscaler makes and deletes servers of its own, through the cloud alone.
let lab: TestLab;
beforeAll(async () => {
  lab = await startLab([
    '--parts',
    'built-in',
    '--control-planes',
    '1',
    '--workers',
    '0',
    '--knob',
    'talos.linkNames=kernel',
  ]);
});
afterAll(() => lab[Symbol.asyncDispose]());

async function cloud(method: string, where: string, body?: unknown): Promise<Record<string, unknown>> {
  const { endpoint, token } = lab.info.hetzner;
  const answer = await fetch(endpoint + where, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.ok, `${method} ${where}: ${text}`).toBe(true);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function until(
  what: (node: LabNodeInfo | undefined, info: LabInfo) => boolean,
): Promise<LabNodeInfo | undefined> {
  for (let n = 0; n < 200; n += 1) {
    const info = await lab.fresh();
    const node = info.nodes.find(({ name }) => name === 'pool-1');
    if (what(node, info)) return node;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error('in vain');
}

/** The names of the certificate that answers at address:port, verified against the cluster's authority. */
async function served(address: string, port: number): Promise<string> {
  const kubeconfig = parse(await readFile(path.join(lab.state, 'kubeconfig'), 'utf8')) as {
    clusters: { cluster: { 'certificate-authority-data': string } }[];
  };
  const ca = Buffer.from(kubeconfig.clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, ca, servername: 'kubernetes' }, () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

test('a server made through the cloud with the config of a worker joins, named as its server', async () => {
  const config = await renderConfig(path.join(lab.state, 'provisioner'), 'worker');
  await cloud('POST', '/servers', {
    name: 'pool-1',
    server_type: 'cx33',
    image: 'debian-12',
    labels: { 'hcloud/node-group': 'pool' },
    user_data: config,
  });
  const node = await until((each) => each?.ready === true);
  expect(node).toMatchObject({ role: 'worker', stage: 'running' });
});

test('its KubePrism leads to the Kubernetes API', async () => {
  const node = await until((each) => each?.ready === true);
  const [plane] = lab.info.nodes;
  expect(await served(node?.publicIPv4 ?? '', 7445)).toContain(plane?.publicIPv4);
});

test('deleted through the cloud it is gone as by `lab node delete`, and can be recreated as after that', async () => {
  const before = await until((each) => each?.ready === true);
  await cloud('DELETE', `/servers/${before?.serverId}`);
  await until((each) => each === undefined);
  await fairleadJson(['lab', 'node', 'recreate', 'pool-1', '--state', lab.state]);
  const after = await until((each) => each?.ready === true);
  expect(after?.serverId).not.toBe(before?.serverId);
  expect(after?.publicIPv4).not.toBe(before?.publicIPv4);
});
