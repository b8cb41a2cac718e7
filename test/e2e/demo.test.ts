import { describe, expect, test } from 'vitest';
import type { DemoEvidence } from '../../scripts/demo/evidence.ts';
import { unshared } from '../../lab/fabric/netns/unshared.ts';
import { allReal, root, run } from './harness.ts';

const demo = (args: readonly string[]) => run(process.execPath, ['scripts/demo.ts', ...args], { cwd: root });

const observed = (stdout: string): DemoEvidence => JSON.parse(stdout) as DemoEvidence;

describe('the demo', () => {
  const mixes: readonly ('built-in' | 'real')[] = ['built-in', 'real'];
  for (const parts of mixes) {
    test.skipIf(parts === 'real' && !allReal)(
      `ends with verdict survived on ${parts} parts${parts === 'real' && !allReal ? ' (skipped: real parts are not there, see scripts/prepare)' : ''}`,
      async () => {
        const ran = await demo(['--parts', parts, '--output', 'json']);
        expect(ran.code, ran.stderr).toBe(0);
        const evidence = observed(ran.stdout);
        expect(evidence.verdict).toBe('survived');
        expect(evidence.kubeconfig.sha256Before).toMatch(/^[0-9a-f]{64}$/);
        expect(evidence.kubeconfig.sha256After).toBe(evidence.kubeconfig.sha256Before);
        expect(evidence.tokens).toEqual({ mintedBefore: 1, refused: 0 });
        expect(evidence.replacements).toHaveLength(3);
        for (const r of evidence.replacements) expect(r.newServerId).not.toBe(r.oldServerId);
        expect(evidence.components['etcd']).toContain(parts === 'real' ? 'real' : 'built-in');
        expect(evidence.components['kubeApiserver']).toContain(parts === 'real' ? 'real' : 'built-in');
        expect(ran.stderr).toMatch(
          /demo: endpoint survived 3 of 3 control-plane replacements, longest gap \d+\.\d s \(speed 10\), kubeconfig unchanged\n$/,
        );
      },
    );
  }

  const how = unshared(process.env);
  test.skipIf(typeof how === 'string')(
    `ends with verdict survived in network namespaces, told by their client${typeof how === 'string' ? ` (skipped: ${how})` : ''}`,
    async () => {
      const ran = await demo(['--fabric', 'netns', '--parts', 'built-in', '--speed', '30', '--output', 'json']);
      expect(ran.code, ran.stderr).toBe(0);
      const evidence = observed(ran.stdout);
      expect(evidence.components['fabric']).toBe('netns');
      expect(evidence.steps.map(({ name, ok }) => [name, ok])).toEqual(['a', 'b', 'c', 'd', 'e'].map((n) => [n, true]));
      expect(evidence.replacements).toHaveLength(3);
      expect(evidence).toMatchObject({ verdict: 'survived', tokens: { mintedBefore: 1, refused: 0 } });
      expect(ran.stderr).toMatch(/demo: endpoint survived 3 of 3 .*speed 30.*kubeconfig unchanged\n$/);
    },
  );
});

describe('the demo, when it cannot be told to its end', () => {
  test('says how far it came, claims no more, and ends with 1', async () => {
    // No lab starts where no real part is found.
    const ran = await run(process.execPath, ['scripts/demo.ts', '--parts', 'real', '--output', 'json'], {
      cwd: root,
      env: { PATH: '/nonexistent', KUBEBUILDER_ASSETS: '', HOME: '/nonexistent', XDG_CACHE_HOME: '/nonexistent' },
    });
    expect(ran.code).toBe(1);
    const evidence = observed(ran.stdout);
    expect(evidence).toMatchObject({ verdict: 'incomplete', replacements: [], steps: [{ name: 'a', ok: false }] });
    expect(ran.stderr).toMatch(/demo: incomplete, built so far: nothing\n$/);
  });
});

// Each takes away one thing the product provides; the same script must then end failed. If one of these survives, the
// demo proves nothing.
describe.concurrent('the demo, spoiled on purpose', () => {
  const spoiled = async (control: string): Promise<DemoEvidence> => {
    const ran = await demo(['--parts', 'built-in', '--control', control, '--output', 'json']);
    expect(ran.code, ran.stderr).toBe(1);
    const evidence = observed(ran.stdout);
    expect(evidence.verdict, ran.stderr).toBe('failed');
    expect(ran.stderr).toMatch(/demo: failed: .+\n$/);
    return evidence;
  };

  test('without the VIP entry in the repository the endpoint dies with its last holder', async ({ expect }) => {
    expect((await spoiled('no-vip')).reasons.join()).toMatch(/did not survive/);
  });

  test('without the issuer pin in the repository a new API server refuses the old tokens', async () => {
    expect((await spoiled('no-issuer-pin')).tokens.refused).toBeGreaterThan(0);
  });

  test('without the repository phase a new node comes up with the dead endpoint', async () => {
    const evidence = await spoiled('no-repository');
    expect(JSON.stringify(evidence.steps)).toMatch(/came up with the endpoint https/);
  });

  test('one changed byte of the kubeconfig is noticed', async () => {
    expect((await spoiled('kubeconfig-byte')).reasons.join()).toMatch(/kubeconfig changed/);
  });

  test('a node that keeps its server was not replaced', async () => {
    expect((await spoiled('same-server')).reasons.join()).toMatch(/was not replaced/);
  });
});
