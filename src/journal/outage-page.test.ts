import { describe, expect, it } from 'vitest';
import type { Evidence } from './evidence.ts';
import { outagePage } from './outage-page.ts';

const evidence: Evidence = {
  apiVersion: 'fairlead/v1alpha1',
  kind: 'Evidence',
  operation: 'apply',
  cluster: 'prod',
  startedAt: '2026-11-24T12:00:00.000Z',
  endedAt: '2026-11-24T12:01:30.000Z',
  components: { kubernetes: 'v1.36.3' },
  steps: [
    {
      at: '2026-11-24T12:00:20.000Z',
      change: 'node/cp-2/endpoint',
      phase: 5,
      what: 'Endpoint on cp-2: https://198.51.100.20:6443',
      ms: 9_000,
      evidence: ['certificate serial 02', '<script>alert(1)</script>'],
    },
  ],
  gaps: { endpoint: { readNewConnection: 812 }, 'cp-2': { readNewConnection: 8_000 } },
  outages: [
    {
      target: 'cp-2',
      path: 'readNewConnection',
      from: '2026-11-24T12:00:12.000Z',
      ms: 8_000,
      longest: true,
      cause: { kind: 'api-server-restart', node: 'cp-2' },
      failures: [{ error: 'refused', count: 80 }],
    },
  ],
  neverAnswered: [{ target: 'old-endpoint', error: 'timeout' }],
  apiServerRestarts: { 'cp-2': 1 },
  tokens: { mintedBefore: 1, refused: 0 },
  lock: { state: 'held', how: 'taken' },
  snapshot: { state: 'left-out', reason: 'the disk is full & slow' },
  verdict: 'survived',
};

describe('the page of a run', () => {
  const page = outagePage(evidence);

  it('tells targets, lengths and causes, safeguards and their reasons', () => {
    expect(page).toContain('<th scope="row">cp-2</th><td>8.0 s</td>');
    expect(page).toContain('the API server of cp-2 restarted');
    expect(page).toContain('80 × refused');
    expect(page).toContain('Never answered: old-endpoint (timeout)');
    expect(page).toContain('left out: the disk is full &amp; slow');
  });

  it('places the outage in the time line where it was: after 12 of 90 seconds, for 8', () => {
    const rect = /<rect class="step" x="([\d.]+)" y="\d+" width="([\d.]+)"[^>]*><title>cp-2, read/.exec(page);
    expect(Number(rect?.[1])).toBeCloseTo(190 + (12 / 90) * 800, 0);
    expect(Number(rect?.[2])).toBeCloseTo((8 / 90) * 800, 0);
  });

  it('needs nothing else and obeys nothing that the outside said', () => {
    expect(page).not.toMatch(/<script|src=|href=|url\(|@import/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toMatch(/prefers-color-scheme:dark/);
  });
});
