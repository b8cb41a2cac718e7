import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import type { CloudHealthCheck, TargetHealth } from '../cloud/types.ts';
import { accepts, type CheckResult } from './health.ts';

/** From the balancer's own address, so that the network knows who sends, to the target. */
export interface Path {
  readonly from: string;
  readonly to: string;
}

/** Enough of a body to find the expected text in. */
const BODY_LIMIT = 65_536;

const failed = (detail: NonNullable<TargetHealth['detail']>, httpStatusCode?: number): CheckResult => ({
  kind: 'failed',
  detail,
  ...(httpStatusCode === undefined ? {} : { httpStatusCode }),
});

/**
 * One look at a target, over the network of the lab. Never rejects but by `signal`; `timeoutMs` bounds all of it.
 * TCP: the connection stands. HTTP: the answer's status is accepted and its body has the expected text; redirects are not
 * followed; with TLS the certificate is not verified (Hetzner's balancers do not need a publicly trusted one).
 */
export function checkTarget(
  check: CloudHealthCheck,
  path: Path,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  return check.protocol === 'tcp'
    ? checkTcp(path, check.port, timeoutMs, signal)
    : checkHttp(check, path, timeoutMs, signal);
}

function checkTcp(path: Path, port: number, timeoutMs: number, signal: AbortSignal): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: path.to, localAddress: path.from, port });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => end(() => resolve(failed('layer4_timeout'))), timeoutMs);
    const abort = (): void => end(() => reject(new Error('the check was called off')));
    signal.addEventListener('abort', abort, { once: true });
    socket.on('connect', () => end(() => resolve({ kind: 'passed' })));
    socket.on('error', () => end(() => resolve(failed('layer4_no_connection'))));
    if (signal.aborted) abort();
  });
}

function checkHttp(check: CloudHealthCheck, path: Path, timeoutMs: number, signal: AbortSignal): Promise<CheckResult> {
  const rules = check.http ?? { domain: '', path: '/', response: '', statusCodes: ['2??', '3??'], tls: false };
  return new Promise((resolve, reject) => {
    let connected = false;
    const request = (rules.tls ? https : http).request({
      host: path.to,
      localAddress: path.from,
      port: check.port,
      path: rules.path === '' ? '/' : rules.path,
      method: 'GET',
      agent: false,
      headers: { host: rules.domain === '' ? path.to : rules.domain, 'user-agent': 'lab-load-balancer', accept: '*/*' },
      ...(rules.tls ? { rejectUnauthorized: false, servername: rules.domain } : {}),
    });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      request.destroy();
      settle();
    };
    const timer = setTimeout(
      () => end(() => resolve(failed(connected ? 'layer7_timeout' : 'layer4_timeout'))),
      timeoutMs,
    );
    const abort = (): void => end(() => reject(new Error('the check was called off')));
    signal.addEventListener('abort', abort, { once: true });
    request.on('socket', (socket) => socket.on('connect', () => (connected = true)));
    // A handshake that breaks, or an answer that is no HTTP, is a port where something else listens.
    request.on('error', () => end(() => resolve(failed(connected ? 'unspecified' : 'layer4_no_connection'))));
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      if (!accepts(rules.statusCodes, status)) return end(() => resolve(failed('unexpected_http_status', status)));
      if (rules.response === '') return end(() => resolve({ kind: 'passed', httpStatusCode: status }));
      let body = '';
      response.setEncoding('utf8');
      const judge = (): void =>
        end(() =>
          resolve(
            body.includes(rules.response)
              ? { kind: 'passed', httpStatusCode: status }
              : failed('unexpected_http_content', status),
          ),
        );
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > BODY_LIMIT) judge();
      });
      response.on('end', judge);
      response.on('error', () => end(() => resolve(failed('unspecified', status))));
    });
    if (signal.aborted) abort();
    else request.end();
  });
}
