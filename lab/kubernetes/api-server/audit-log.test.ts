import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { createAudit } from '../../world/audit.ts';
import { followAuditLog, readAuditLine } from './audit-log.ts';
import { isWrite } from './audit-rules.ts';

const line = (change: object): string =>
  JSON.stringify({
    kind: 'Event',
    auditID: 'a1',
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/default/configmaps',
    verb: 'create',
    userAgent: 'kube-apiserver/v1.36.3 (linux/amd64) kubernetes/abc',
    responseStatus: { code: 201 },
    requestReceivedTimestamp: '2026-11-24T05:44:40.519252Z',
    stageTimestamp: '2026-11-24T05:44:40.619449Z',
    ...change,
  });

test('a line of the audit log becomes a record, with the HTTP verb and the node of a server that asks itself', () => {
  expect(readAuditLine(line({}), 'cp-1', new Set())).toEqual({
    at: '2026-11-24T05:44:40.519Z',
    system: 'kubernetes',
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    status: 201,
    ms: 100,
    write: true,
    by: 'node/cp-1',
    node: 'cp-1',
  });
  expect(readAuditLine('{"half', 'cp-1', new Set())).toBeUndefined();
});

test('a watch counts when it begins, a refused credential at once, each once', () => {
  const begun = new Set<string>();
  const watch = (stage: string) =>
    readAuditLine(line({ stage, verb: 'watch', responseStatus: { code: 200 } }), 'cp-1', begun);
  expect(watch('ResponseStarted')).toMatchObject({ method: 'GET', write: false });
  expect(watch('ResponseComplete')).toBeUndefined();
  const refused = line({ auditID: 'a2', stage: 'ResponseStarted', verb: 'get', responseStatus: { code: 401 } });
  expect(readAuditLine(refused, 'cp-1', begun)).toMatchObject({ status: 401 });
  expect(begun.size).toBe(0);
});

test.each([
  ['POST', '/api/v1/namespaces/n/configmaps', 201, true],
  ['POST', '/api/v1/namespaces/n/configmaps?dryRun=All', 201, false],
  ['POST', '/api/v1/namespaces/n/configmaps', 409, false],
  ['GET', '/api/v1/nodes', 200, false],
  ['POST', '/api/v1/namespaces/n/serviceaccounts/s/token', 201, false],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', 201, false],
  ['POST', '/apis/authorization.k8s.io/v1/namespaces/n/localsubjectaccessreviews', 201, false],
  ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', 201, false],
  ['DELETE', '/api/v1/nodes/cp-1', 200, true],
  ['PATCH', '/api/v1/nodes/cp-1/status', 200, true],
])('%s %s answered %i: write %s', (method, uri, status, write) => {
  expect(isWrite(method, uri, status)).toBe(write);
});

test('a growing log is followed line by line, through half lines and a log that is turned over', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'fairlead-audit-'));
  const file = path.join(dir, 'audit.log');
  try {
    await writeFile(file, `${line({ requestURI: '/before' })}\n`);
    const audit = createAudit(undefined, () => new Date());
    const begin = (line({ requestURI: '/before' }) + '\n').length;
    const tail = followAuditLog(file, begin, 'cp-1', { clock: systemClock, audit });
    const until = (count: number) =>
      waitFor(systemClock, { everyMs: 10, timeoutMs: 5000 }, async () => (audit.mark >= count ? true : undefined));
    const whole = line({ requestURI: '/ä' });
    await appendFile(file, whole.slice(0, 60));
    await systemClock.sleep(120);
    expect(audit.mark).toBe(0);
    await appendFile(file, `${whole.slice(60)}\n${line({ requestURI: '/two' })}\n`);
    await until(2);
    await writeFile(file, `${line({ requestURI: '/three' })}\n`);
    await until(3);
    await appendFile(file, `${line({ requestURI: '/four' })}\n`);
    await tail.close();
    expect(audit.since().map((one) => one.path)).toEqual(['/ä', '/two', '/three', '/four']);
  } finally {
    await rm(dir, { recursive: true });
  }
});
