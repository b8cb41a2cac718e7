import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { mergeKubeconfig } from './merge.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const fetched = (server: string, ca = 'CA-1', cert = 'NEW') => `apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster:
    server: ${server}
    certificate-authority-data: ${base64(ca)}
users:
- name: admin@prod
  user:
    client-certificate-data: ${base64(cert)}
    client-key-data: ${base64(`${cert}-key`)}
contexts:
- name: admin@prod
  context: { cluster: prod, namespace: default, user: admin@prod }
current-context: admin@prod
`;

const NEW = 'https://198.51.100.20:6443';

const OTHERS = `# my clusters
apiVersion: v1
kind: Config
current-context: work
clusters:
  - name: work # the one at work
    cluster: { server: "https://work.example:443", certificate-authority-data: ${base64('CA-9')} }
  - name: production
    cluster:
      server: https://203.0.113.1:6443
      certificate-authority-data: ${base64('CA-1')}
users:
  - name: me
    user:
      exec: { command: login, apiVersion: client.authentication.k8s.io/v1 }
  - name: root
    user: { client-certificate-data: ${base64('OLD')}, client-key-data: ${base64('OLD-key')} }
contexts:
  - name: work
    context: { cluster: work, user: me }
  - name: prod-admin
    context: { cluster: production, user: root, namespace: shop }
`;

interface Parsed {
  'current-context': string;
  clusters: { name: string; cluster: { server: string } }[];
  users: { name: string; user: Record<string, unknown> }[];
  contexts: { name: string; context: Record<string, string> }[];
}

const read = (text: string): Parsed => parse(text) as Parsed;

describe('merging a fetched kubeconfig', () => {
  it('makes a complete one where none was', () => {
    const made = read(mergeKubeconfig(undefined, fetched(NEW), 'prod'));
    expect(made['current-context']).toBe('prod');
    expect(made.contexts).toEqual([
      { name: 'prod', context: { cluster: 'prod', user: 'admin@prod', namespace: 'default' } },
    ]);
    expect(made.clusters[0]?.cluster.server).toBe(NEW);
  });

  it('replaces the entries of the same cluster where they stand and leaves everything else', () => {
    const merged = mergeKubeconfig(OTHERS, fetched(NEW), undefined);
    const made = read(merged);
    expect(merged).toContain('# my clusters');
    expect(merged).toContain('# the one at work');
    expect(made['current-context']).toBe('work');
    expect(made.clusters.map((c) => [c.name, c.cluster.server])).toEqual([
      ['work', 'https://work.example:443'],
      ['production', NEW],
    ]);
    expect(made.users.find((u) => u.name === 'root')?.user['client-certificate-data']).toBe(base64('NEW'));
    expect(made.users.find((u) => u.name === 'me')?.user).toHaveProperty('exec');
    expect(made.contexts.map((c) => c.name)).toEqual(['work', 'prod-admin']);
    expect(made.contexts[1]?.context).toEqual({ cluster: 'production', user: 'root', namespace: 'shop' });
  });

  it('gives a number to a name that another cluster has', () => {
    const other = mergeKubeconfig(undefined, fetched('https://other:6443', 'CA-2', 'OTHER'), undefined);
    const made = read(mergeKubeconfig(other, fetched(NEW), undefined));
    expect(made.clusters.map((c) => [c.name, c.cluster.server])).toEqual([
      ['prod', 'https://other:6443'],
      ['prod-1', NEW],
    ]);
    expect(made.contexts.map((c) => c.name)).toEqual(['admin@prod', 'admin@prod-1']);
    expect(made.users.map((u) => u.user['client-certificate-data'])).toEqual([base64('OTHER'), base64('NEW')]);
  });

  it('leaves a user alone that a context of another cluster has too', () => {
    const both = OTHERS.replace('context: { cluster: work, user: me }', 'context: { cluster: work, user: root }');
    const merged = mergeKubeconfig(both, fetched(NEW), undefined);
    const made = read(merged);
    expect(made.users.find((u) => u.name === 'root')?.user['client-certificate-data']).toBe(base64('OLD'));
    expect(made.users.find((u) => u.name === 'admin@prod')?.user['client-certificate-data']).toBe(base64('NEW'));
    expect(made.contexts.map((c) => [c.name, c.context['user']])).toEqual([
      ['work', 'root'],
      ['prod-admin', 'admin@prod'],
    ]);
    expect(mergeKubeconfig(merged, fetched(NEW), undefined)).toBe(merged);
  });

  it('changes nothing when it is done a second time', () => {
    const once = mergeKubeconfig(OTHERS, fetched(NEW), undefined);
    expect(mergeKubeconfig(once, fetched(NEW), undefined)).toBe(once);
  });

  it('refuses what is no kubeconfig', () => {
    expect(() => mergeKubeconfig('- a list', fetched(NEW), undefined)).toThrow('no mapping');
    expect(() => mergeKubeconfig('clusters: 3', fetched(NEW), undefined)).toThrow('clusters is no list');
    expect(() => mergeKubeconfig(undefined, 'kind: Config', undefined)).toThrow('no complete context');
  });
});
