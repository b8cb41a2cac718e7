import assert from 'node:assert/strict';
import { lookup, Resolver } from 'node:dns/promises';
import https from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { type Api, idOf, type Json, object, objects, refused, type Scenario } from './driver.ts';
import { certificateFor } from './resources.ts';
import { balancer, floatingIP, fresh, LABELS, server, write } from './things.ts';

const PORT = 6443;
const SECOND_MS = 1_000;
const PATIENCE_MS = 120_000;

/** On a real project: every image of today has Python, and port 6443 is as good as any. */
const SERVE = `#!/bin/sh
nohup python3 -m http.server ${PORT} --directory /usr/share/doc >/dev/null 2>&1 &
`;

/** A server that serves on port 6443: the lab's, or one that is made. */
async function serving(api: Api): Promise<Json> {
  const { servingLabel } = api.driver;
  if (servingLabel === undefined) return server(api, { user_data: SERVE });
  const [found] = objects((await api.expect(200, 'GET', `/servers?label_selector=${servingLabel}`))['servers']);
  return object(found);
}

/** Whether something speaks at the address: a TLS handshake, or an answer over HTTP. */
function speaks({ driver }: Api, host: string, ms = 2 * SECOND_MS): Promise<boolean> {
  return new Promise((resolve) => {
    const tls = driver.servingLabel !== undefined;
    const socket = tls ? connectTls({ host, port: PORT, rejectUnauthorized: false }) : connect({ host, port: PORT });
    const end = (heard: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(() => end(false), ms);
    socket.on('error', () => end(false));
    if (tls) socket.on('secureConnect', () => end(true));
    else {
      socket.on('connect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
      socket.on('data', () => end(true));
    }
  });
}

async function until<T>(look: () => Promise<T>, wanted: (value: T) => boolean, what: string): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await look();
    if (wanted(value)) return value;
    assert.ok(performance.now() < deadline, `${what}: ${JSON.stringify(value)}`);
    await sleep(200);
  }
}

/** Asks the name servers of a zone themselves, so that no cache answers. */
async function resolverOf({ driver }: Api, zone: Json): Promise<Resolver> {
  const resolver = new Resolver({ timeout: SECOND_MS, tries: 2 });
  const assigned = object(zone['authoritative_nameservers'])['assigned'];
  assert.ok(Array.isArray(assigned) && assigned.length > 0, JSON.stringify(zone));
  const { dns } = driver;
  const name = String(assigned[0]).replace(/\.$/, '');
  resolver.setServers([dns === undefined ? (await lookup(name, 4)).address : `${dns.address}:${dns.port}`]);
  return resolver;
}

/** What packets and questions meet, not only what the API says. Costs money on a real project. */
export const dataPlane: readonly Scenario[] = [
  write('a balancer answers once a target is healthy, and names the health of each', async (api) => {
    const target = await serving(api);
    const made = await balancer(api);
    const path = `/load_balancers/${idOf(made)}`;
    const address = String(object(object(made['public_net'])['ipv4'])['ip']);
    const health_check = { protocol: 'tcp', port: PORT, interval: 3, timeout: 2, retries: 2 };
    const service = { protocol: 'tcp', listen_port: PORT, destination_port: PORT, proxyprotocol: false, health_check };
    await api.act('POST', `${path}/actions/add_service`, service);
    await api.act('POST', `${path}/actions/add_target`, { type: 'server', server: { id: idOf(target) } });
    const health = async (): Promise<unknown> => {
      const [one] = objects(object((await api.expect(200, 'GET', path))['load_balancer'])['targets']);
      return objects(one?.['health_status'])[0]?.['status'];
    };
    await until(health, (status) => status === 'healthy', 'the target is healthy');
    await until(
      () => speaks(api, address),
      (heard) => heard,
      'the balancer answers',
    );
    // Another port of the target: nothing is there, and the check finds out.
    await api.act('POST', `${path}/actions/update_service`, {
      listen_port: PORT,
      health_check: { ...health_check, port: 50_999 },
    });
    await until(health, (status) => status === 'unhealthy', 'the target is unhealthy');
    await until(
      () => speaks(api, address),
      (heard) => !heard,
      'the balancer has no target',
    );
  }),
  write(
    'an https service ends TLS with its certificate, answers itself without a target, and redirects from port 80',
    async (api) => {
      const pair = await certificateFor('api.example.com');
      const name = fresh('certificate');
      const uploaded = { name, type: 'uploaded', certificate: pair.cert, private_key: pair.key, labels: LABELS };
      const id = idOf((await api.expect(201, 'POST', '/certificates', uploaded))['certificate']);
      api.undo(() => api.expect(204, 'DELETE', `/certificates/${id}`));
      const made = await balancer(api);
      const host = String(object(object(made['public_net'])['ipv4'])['ip']);
      const port = api.driver.lowPorts ? 443 : 8443;
      await api.act('POST', `/load_balancers/${idOf(made)}/actions/add_service`, {
        protocol: 'https',
        listen_port: port,
        destination_port: 80,
        http: { certificates: [id], redirect_http: true },
      });
      refused(await api.call('DELETE', `/certificates/${id}`), 422, 'resource_in_use');
      const status = (): Promise<unknown> =>
        new Promise((resolve) => {
          const to = { host, port, servername: 'api.example.com', rejectUnauthorized: false, agent: false };
          const request = https.get({ ...to, timeout: 2 * SECOND_MS }, (response) => {
            const shown = response.socket instanceof TLSSocket ? response.socket.getPeerCertificate().subject.CN : '';
            response.resume();
            resolve(`${String(shown)} ${response.statusCode}`);
          });
          request.on('timeout', () => request.destroy(new Error('timed out')));
          request.on('error', (error) => resolve(error.message));
        });
      await until(status, (answer) => answer === 'api.example.com 503', 'the service ends TLS');
      if (!api.driver.lowPorts) return;
      const answer = await fetch(`http://${host}/a?b=c`, { redirect: 'manual' });
      assert.deepEqual([answer.status, answer.headers.get('location')], [301, `https://${host}/a?b=c`]);
    },
  ),
  write('an address that is assigned to a server which has not configured it answers nothing', async (api) => {
    const holder = await serving(api);
    const own = String(object(object(holder['public_net'])['ipv4'])['ip']);
    await until(
      () => speaks(api, own),
      (heard) => heard,
      'the server answers at its own address',
    );
    const made = await floatingIP(api);
    await api.act('POST', `/floating_ips/${idOf(made)}/actions/assign`, { server: idOf(holder) });
    assert.equal(await speaks(api, String(made['ip']), SECOND_MS), false);
    assert.equal(await speaks(api, own), true);
  }),
  write('record sets are answered by the zone’s name servers, with their TTL, until they are deleted', async (api) => {
    const name = `${fresh('zone')}.com`;
    await api.act('POST', '/zones', { name, mode: 'primary', ttl: 3600, labels: LABELS });
    const path = `/zones/${name}`;
    api.undo(() => api.act('DELETE', path));
    const resolver = await resolverOf(api, object((await api.expect(200, 'GET', path))['zone']));
    const ask = (): Promise<unknown> =>
      resolver.resolve4(`api.${name}`, { ttl: true }).catch((error: { code: string }) => error.code);
    await until(ask, (answer) => answer === 'ENOTFOUND', 'the zone is served');
    const records = (value: string) => [{ value, comment: 'conformance' }];
    const set = { name: 'api', type: 'A', ttl: 60, records: records('192.0.2.1') };
    const made = object((await api.act('POST', `${path}/rrsets`, set))['rrset']);
    assert.deepEqual([made['id'], made['ttl']], ['api/A', 60]);
    refused(await api.call('POST', `${path}/rrsets`, set), 409, 'uniqueness_error');
    await until(ask, (answer) => Array.isArray(answer), 'the record is served');
    assert.deepEqual(await ask(), [{ address: '192.0.2.1', ttl: 60 }]);
    await api.act('POST', `${path}/rrsets/api/A/actions/set_records`, { records: records('192.0.2.2') });
    await until(ask, (answer) => JSON.stringify(answer).includes('192.0.2.2'), 'the new record is served');
    refused(await api.call('POST', `${path}/rrsets/api/A/actions/change_ttl`, { ttl: 59 }), 422, 'invalid_input');
    refused(
      await api.call('POST', `${path}/rrsets/none/A/actions/set_records`, { records: records('192.0.2.3') }),
      404,
      'not_found',
    );
    await api.act('POST', `${path}/rrsets/api/A/actions/change_protection`, { change: true });
    refused(await api.call('DELETE', `${path}/rrsets/api/A`), 423, 'protected');
    await api.act('POST', `${path}/rrsets/api/A/actions/change_protection`, { change: false });
    await api.act('DELETE', `${path}/rrsets/api/A`);
    await until(ask, (answer) => answer === 'ENOTFOUND', 'the record is gone');
  }),
];
