import { describe, expect, it } from 'vitest';
import { Redacted } from '../base/redacted.ts';
import { controlPlane, fact, loadedConfig, observation, OLD } from '../model/observation.testing.ts';
import { readNodeConfig } from '../observe/node-config.ts';
import { makePlan } from '../plan/plan.ts';
import type { Seen } from './look-again.ts';
import { movedSince, planMoved } from './moved.ts';

const TEXT = `version: v1alpha1
machine:
    type: controlplane
    token: canary-machine-token
cluster:
    clusterName: prod
    controlPlane:
        endpoint: ${OLD}
    apiServer: {}
`;

function seen(second = TEXT): Seen {
  const nodes = [1, 2, 3].map((n) => {
    const config = readNodeConfig(new Redacted(n === 2 ? second : TEXT));
    return controlPlane(n, { config: fact(config), persistentSha256: fact(config.sha256) });
  });
  const o = observation(nodes);
  return { observation: o, plan: makePlan(o, loadedConfig()) };
}

describe('what moved between the consent and the first write', () => {
  it('is nothing where nobody touched anything', () => {
    expect(movedSince(seen(), seen())).toEqual([]);
  });

  it('is shown line by line where somebody edited a config, and its secrets are not', () => {
    const edited = TEXT.replace('apiServer: {}', 'apiServer:\n        extraArgs: {v: "4"}').replace(
      'canary-',
      'canary-2-',
    );
    const moved = movedSince(seen(), seen(edited));
    const { why, what } = planMoved(moved);
    expect(what).toMatch(/not as it was/);
    expect(why).toMatch(/cp-2 was changed by somebody/);
    expect(why).toMatch(/\+\s+extraArgs/);
    expect(why).not.toMatch(/cp-1 was changed/);
    expect(why).not.toMatch(/canary/);
  });
});
