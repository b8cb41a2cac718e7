import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { Redacted } from '../base/redacted.ts';
import { applyPatches } from '../machine-config/patch/apply.ts';
import { readNodeConfig } from '../observe/node-config.ts';
import {
  controlPlane,
  fact,
  finished,
  floatingIP,
  IP,
  kubeconfigOf,
  loadedConfig,
  observation,
  OLD,
  WANTED,
  worker,
} from '../model/observation.testing.ts';
import { unknown, valueOf } from '../model/fact.ts';
import type { NodeObservation, Observation, RepositoryObservation } from '../model/observation.ts';
import { type Change, changesOf, type Plan } from '../model/plan.ts';
import { makePlan } from './plan.ts';

const text = (type: 'controlplane' | 'worker', endpoint = OLD): string => `# by hand
version: v1alpha1
machine:
    type: ${type}
    token: secret-machine-token
cluster:
    clusterName: prod
    controlPlane:
        endpoint: ${endpoint}
${type === 'controlplane' ? '    apiServer:\n        image: registry.k8s.io/kube-apiserver:v1.36.3\n' : ''}`;

const withText = (node: NodeObservation, body: string): NodeObservation => {
  const config = readNodeConfig(new Redacted(body));
  return { ...node, config: fact(config), persistentSha256: fact(config.sha256) };
};

const start = (parts: Partial<Observation> = {}): Observation =>
  observation(
    [...[1, 2, 3].map((n) => withText(controlPlane(n), text('controlplane'))), withText(worker(1), text('worker'))],
    parts,
  );

const loaded = loadedConfig();
const ids = (plan: Plan): string[] => changesOf(plan).map((change) => change.id);
const codes = (o: Observation, config = loaded): string[] => makePlan(o, config).refusals.map((r) => r.code);

/** The address is with the next control plane that has the entry. */
function handedOver(o: Observation, from: string, config: Redacted): Observation {
  const heir = o.nodes.find((node) => node.name !== from && valueOf(node.config)?.vips.some((vip) => vip.ip === IP));
  return {
    ...o,
    cloud: { ...o.cloud, floatingIPs: fact([floatingIP(heir?.server?.id ?? null)]) },
    nodes: o.nodes.map((node) => {
      const links = (valueOf(node.links) ?? []).filter((link) => link.address !== `${IP}/32`);
      if (node.name === from) return { ...withText(node, config.reveal()), links: fact(links) };
      return node.name === heir?.name
        ? { ...node, links: fact([...links, { link: 'eth0', address: `${IP}/32` }]) }
        : node;
    }),
  };
}

/** The world after a change has taken its effect, as far as a plan sees it. */
function after(o: Observation, change: Change): Observation {
  const { action } = change;
  switch (action.kind) {
    case 'node-config':
      if (action.step === 'vip-out') return handedOver(o, action.node, action.text);
      return {
        ...o,
        cloud:
          action.step === 'vip' && o.cloud.floatingIPs.kind === 'known' && o.cloud.floatingIPs.value[0]?.server === null
            ? {
                ...o.cloud,
                floatingIPs: fact([floatingIP(o.nodes.find((n) => n.name === action.node)?.server?.id ?? 0)]),
              }
            : o.cloud,
        nodes: o.nodes.map((node) => {
          if (node.name !== action.node) return node;
          const changed = withText(node, action.text.reveal());
          const first =
            action.step === 'vip' &&
            o.cloud.floatingIPs.kind === 'known' &&
            o.cloud.floatingIPs.value[0]?.server === null;
          const links = node.links.kind === 'known' ? node.links.value : [];
          return first ? { ...changed, links: fact([...links, { link: 'eth0', address: `${IP}/32` }]) } : changed;
        }),
      };
    case 'kubeconfig':
      return {
        ...o,
        consumers: {
          ...o.consumers,
          kubeconfigs: o.consumers.kubeconfigs.map((k) =>
            k.file === action.file ? { ...k, content: fact(kubeconfigOf(WANTED)) } : k,
          ),
        },
      };
    case 'repository-file': {
      const { repository } = o.consumers;
      if (repository?.patches.kind !== 'known') throw new Error('no repository');
      const rest = repository.patches.value.filter((p) => p.file !== action.file);
      const patches = fact([...rest, { scope: action.scope, file: action.file, text: action.content }]);
      return { ...o, consumers: { ...o.consumers, repository: { ...repository, patches } } };
    }
    case 'reserve-address':
    case 'protect-address':
    case 'assign-address':
    case 'talosconfig':
      throw new Error(`not in this story: ${action.kind}`);
    case 'restore-file':
    case 'release-address':
      throw new Error('not on the way there');
  }
}

const repository = (
  files: readonly { scope: 'cluster' | 'control-planes' | 'workers'; name: string; text: string }[] = [],
): RepositoryObservation => ({
  path: '/repo',
  patches: fact(
    files.map((f) => ({ scope: f.scope, file: `/repo/talos/${f.scope}/${f.name}`, text: new Redacted(f.text) })),
  ),
  variables: fact(['TALOS_VIP_TOKEN']),
});

describe('the plan of a cluster whose endpoint is a node', () => {
  const plan = makePlan(start(), loaded);

  it('has names and issuer first, then the VIP, then the endpoint, followers before the etcd leader, workers last', () => {
    expect(plan.refusals).toEqual([]);
    expect(ids(plan)).toEqual([
      ...['cp-2', 'cp-3', 'cp-1'].map((n) => `node/${n}/names-and-issuer`),
      ...['cp-2', 'cp-3', 'cp-1'].map((n) => `node/${n}/vip`),
      ...['cp-2', 'cp-3', 'cp-1', 'worker-1'].map((n) => `node/${n}/endpoint`),
    ]);
  });

  it('keeps the old endpoint as issuer and as a name', () => {
    const [first] = changesOf(plan);
    if (first?.action.kind !== 'node-config') throw new Error('a node comes first');
    const config = readNodeConfig(first.action.text);
    expect(config.certSANs).toEqual([IP, '203.0.113.1']);
    expect(config.pinnedIssuer).toBe(OLD);
    expect(config.endpoint).toBe(OLD);
    expect(first.action.text.reveal()).toContain(`api-audiences: "${OLD},${WANTED}"`);
    expect(plan.issuer.inForce).toBe(OLD);
  });

  it('shows no secret: neither token nor what the machine config holds', () => {
    const printed = JSON.stringify(plan, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    expect(printed).not.toContain('node-token-0123456789');
    expect(printed).not.toContain('secret-machine-token');
    expect(printed).toContain('apiToken: \\"***\\"');
  });

  it('warns that the token goes onto every control plane', () => {
    expect(plan.warnings.join()).toContain('written onto every control plane');
    expect(plan.warnings.join()).toContain('moves after 45 to 63 s');
  });

  it('is empty once every change was made, one after the other, each in its turn', () => {
    const consumers = {
      kubeconfigs: [{ file: '/k', context: undefined, content: fact(kubeconfigOf(OLD)) }],
      talosconfigs: [],
      repository: repository([{ scope: 'cluster', name: 'enable-audit.yaml', text: 'machine: {}\n' }]),
    };
    let o = start({ consumers });
    const done: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      const now = makePlan(o, loaded);
      expect(now.refusals).toEqual([]);
      const [next] = changesOf(now);
      if (next === undefined) break;
      done.push(next.id);
      o = after(o, next);
    }
    expect(ids(makePlan(o, loaded))).toEqual([]);
    // The holder gives the address away before its API server restarts for the endpoint, and may have it again afterwards.
    const holder = done.indexOf('node/cp-2/vip-out');
    expect(done.slice(holder, holder + 3)).toEqual(['node/cp-2/vip-out', 'node/cp-2/endpoint', 'node/cp-2/vip']);
    expect(done.slice(0, holder)).toEqual(expect.arrayContaining(['node/cp-1/endpoint', 'node/cp-3/endpoint']));
    expect(done).toHaveLength(17);
    expect(makePlan(o, loaded).issuer.inForce).toBe(OLD);

    // A control plane made anew from the folder, by Talos' own rules of patching, needs nothing more.
    const { repository: folder } = o.consumers;
    const patches = folder?.patches.kind === 'known' ? folder.patches.value : [];
    const anew = applyPatches(
      text('controlplane'),
      patches.map((p) => ({
        name: p.file,
        text: p.text.reveal().replaceAll('${TALOS_VIP_TOKEN}', 'node-token-0123456789'),
      })),
      'v1.13.9',
    );
    expect(patches.map((p) => p.text.reveal()).join()).not.toContain('node-token-0123456789');
    const replaced = { ...o, nodes: o.nodes.map((n) => (n.name === 'cp-3' ? withText(n, anew) : n)) };
    expect(makePlan(replaced, loaded).refusals).toEqual([]);
    expect(ids(makePlan(replaced, loaded))).toEqual([]);
  });

  it('shows what follows a reservation before there is an address', () => {
    const create = loadedConfig(
      'apiVersion: fairlead/v1alpha1\nkind: Cluster\nname: prod\nmode: talos-vip\naddress: {create: {name: api, location: fsn1}}\nhetzner: {token: env:A}\ntalosVip: {token: env:B}\ntalos: {config: env:C}\nkubernetes: {kubeconfig: env:D}\n',
    );
    const base = start();
    const provisional = makePlan({ ...base, cloud: { ...base.cloud, floatingIPs: fact([]) } }, create);
    expect(provisional.refusals).toEqual([]);
    expect(ids(provisional)[0]).toBe('address/reserve/api');
    expect(provisional.endpoint.wanted).toBeUndefined();
    expect(
      changesOf(provisional)
        .map((c) => `${c.what}${c.after}${c.diff ?? ''}`)
        .join(),
    ).not.toContain('192.0.2.1');
    expect(changesOf(provisional).some((c) => c.after.includes('<address>'))).toBe(true);
  });
});

describe('the plan of a finished cluster', () => {
  const renew = (o: Observation): Observation => {
    let now = { ...o, nodes: start().nodes };
    for (;;) {
      const [next] = changesOf(makePlan(now, loaded));
      if (next === undefined) return now;
      now = after(now, next);
    }
  };
  const done = renew(finished());

  it('is empty', () => {
    const plan = makePlan(done, loaded);
    expect(plan.refusals).toEqual([]);
    expect(ids(plan)).toEqual([]);
  });

  it('leads the route to the claim where they differ', () => {
    const o = { ...done, cloud: { ...done.cloud, floatingIPs: fact([floatingIP(103)]) } };
    expect(
      ids(
        makePlan(
          {
            ...o,
            nodes: o.nodes.map((n) =>
              n.name === 'cp-2'
                ? {
                    ...n,
                    links: fact([
                      ...(n.links.kind === 'known' ? n.links.value : []),
                      { link: 'eth0', address: `${IP}/32` },
                    ]),
                  }
                : n,
            ),
          },
          loaded,
        ),
      ),
    ).toEqual(['address/assign/7/102']);
  });

  it('corrects only the node that came back with the old endpoint, issuer first', () => {
    const o = { ...done, nodes: done.nodes.map((n) => (n.name === 'cp-3' ? withText(n, text('controlplane')) : n)) };
    expect(ids(makePlan(o, loaded))).toEqual(['node/cp-3/names-and-issuer', 'node/cp-3/vip', 'node/cp-3/endpoint']);
  });
});

describe('what is refused before anything is changed', () => {
  const base = start();
  const cloud = (parts: Partial<Observation['cloud']>): Observation => ({
    ...base,
    cloud: { ...base.cloud, ...parts },
  });
  const node = (name: string, parts: Partial<NodeObservation>): Observation => ({
    ...base,
    nodes: base.nodes.map((n) => (n.name === name ? { ...n, ...parts } : n)),
  });

  it('tokens that are weak, unknown or missing', () => {
    expect(codes(cloud({ token: fact('read-only' as const) }))).toContain('token-read-only');
    expect(codes(cloud({ token: fact('unauthorized' as const) }))).toContain('token-unauthorized');
    expect(codes(cloud({ token: unknown('down', 'test') }))).toContain('token-unknown');
    expect(codes(cloud({ nodeToken: undefined }))).toContain('node-token-missing');
    expect(
      codes(cloud({ nodeToken: { same: false, class: fact('read-only' as const), floatingIPs: fact([]) } })),
    ).toContain('token-read-only');
    expect(
      codes(cloud({ nodeToken: { same: false, class: fact('read-write' as const), floatingIPs: fact([]) } })),
    ).toContain('node-token-other-project');
  });

  it('an address that is missing, in use by a stranger, or in another zone', () => {
    expect(codes(cloud({ floatingIPs: fact([]) }))).toContain('address-missing');
    expect(codes(cloud({ floatingIPs: unknown('down', 'test') }))).toContain('address-unknown');
    expect(codes(cloud({ floatingIPs: fact([floatingIP(999)]) }))).toContain('address-in-use');
    expect(codes(cloud({ floatingIPs: fact([{ ...floatingIP(null), networkZone: 'us-east' }]) }))).toContain(
      'other-network-zone',
    );
  });

  it('nodes that do not answer, have a config pending, or belong to another cluster', () => {
    const silent = unknown('no answer', 'test');
    expect(codes(node('cp-2', { talosVersion: silent }))).toContain('node-unknown');
    expect(codes(node('worker-1', { config: silent }))).toContain('node-unknown');
    expect(codes(node('cp-2', { persistentSha256: fact('other') }))).toContain('node-unknown');
    expect(codes({ ...base, membership: silent })).toContain('members-unknown');
    const other = withText(controlPlane(2), text('controlplane').replace('clusterName: prod', 'clusterName: staging'));
    expect(codes(node('cp-2', other))).toContain('other-cluster');
  });

  it('an address that fairlead reserved for another cluster', () => {
    const labelled = (owner: string) =>
      cloud({ floatingIPs: fact([{ ...floatingIP(null), labels: { 'fairlead.dev/cluster': owner } }]) });
    expect(codes(labelled('stage'))).toEqual(['address-of-another-cluster']);
    expect(codes(labelled('prod'))).toEqual([]);
  });

  it('an issuer that is nowhere written down and cannot be kept', () => {
    const plane = base.nodes.find((n) => n.name === 'cp-2');
    if (plane === undefined) throw new Error('there is a cp-2');
    const flagless = text('controlplane').replace(
      'apiServer:',
      "apiServer:\n        extraArgs: {service-account-issuer: ''}",
    );
    const config = withText(plane, flagless);
    expect(codes(node('cp-2', config))).toContain('issuer-unknown');
  });

  it('another VIP, another owner of the address, and issuers that differ', () => {
    const vip = '---\napiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.99\nlink: eth0\napiToken: t\n';
    expect(codes(node('cp-2', withText(controlPlane(2), text('controlplane') + vip)))).toContain('other-vip');
    expect(
      codes(
        node('cp-2', {
          links: fact([
            { link: 'lo', address: `${IP}/32` },
            { link: 'eth0', address: '203.0.113.2/32' },
          ]),
        }),
      ),
    ).toContain('address-has-another-owner');
    expect(codes(node('cp-2', withText(controlPlane(2), text('controlplane', 'https://203.0.113.2:6443'))))).toContain(
      'issuer-differs-between-nodes',
    );
  });

  it('a repository that lacks the token, holds one in clear, or pins another issuer', () => {
    const repo = (r: RepositoryObservation): Observation => ({
      ...base,
      consumers: { ...base.consumers, repository: r },
    });
    expect(codes(repo({ ...repository(), variables: fact([]) }))).toContain('repository-variable-missing');
    const vip = {
      scope: 'control-planes' as const,
      name: 'x.yaml',
      text: `apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: ${IP}\nlink: eth0\napiToken: abc\n`,
    };
    expect(codes(repo(repository([vip])))).toContain('repository-conflict');
    const pin = {
      scope: 'control-planes' as const,
      name: 'y.yaml',
      text: 'cluster: {apiServer: {extraArgs: {service-account-issuer: https://x}}}\n',
    };
    expect(codes(repo(repository([pin])))).toContain('repository-conflict');
  });

  it('modes that are not built', () => {
    const guard = loadedConfig(
      'apiVersion: fairlead/v1alpha1\nkind: Cluster\nname: prod\nmode: guard\naddress: {adopt: {id: 7}}\nhetzner: {token: env:A}\ntalos: {config: env:C}\nkubernetes: {kubeconfig: env:D}\n',
    );
    const plan = makePlan(base, guard);
    expect(plan.refusals.map((r) => [r.code, r.why])).toEqual([
      ['mode-not-built', expect.stringContaining('not built yet')],
    ]);
    expect(ids(plan)).toEqual([]);
  });

  test.prop([
    fc.subarray(['talosVersion', 'config', 'links', 'persistentSha256'] as const, { minLength: 1 }),
    fc.constantFrom('cp-1', 'cp-2', 'cp-3'),
  ])('whatever is unknown of a control plane: never a plan that would be carried out', (facts, name) => {
    const silent = Object.fromEntries(facts.map((key) => [key, unknown('no answer', 'test')]));
    expect(codes(node(name, silent)).length).toBeGreaterThan(0);
  });
});
