import { randomBytes } from 'node:crypto';
import { type Api, idOf, type Json, object, objects, type Scenario } from './driver.ts';

export const LABELS = { 'fairlead-conformance': 'true' };
/** Names are free in a project in use, too. */
export const fresh = (what: string): string => `fairlead-conformance-${what}-${randomBytes(4).toString('hex')}`;
export const write = (name: string, run: Scenario['run']): Scenario => ({ name, kind: 'write', run });

/** A floating IP of the scenario's own, gone when it ends. */
export async function floatingIP(api: Api): Promise<Json> {
  const body = { type: 'ipv4', home_location: 'fsn1', name: fresh('ip'), labels: LABELS };
  const made = object((await api.expect(201, 'POST', '/floating_ips', body))['floating_ip']);
  const path = `/floating_ips/${idOf(made)}`;
  api.undo(async () => {
    const { status, body: now } = await api.call('GET', path);
    if (status === 404) return;
    const { server, protection } = object(now?.['floating_ip']);
    if (object(protection)['delete'] === true)
      await api.act('POST', `${path}/actions/change_protection`, { delete: false });
    if (server !== null) await api.act('POST', `${path}/actions/unassign`, {});
    await api.expect(204, 'DELETE', path);
  });
  return made;
}

/** The cheapest server there is to be had, gone when the scenario ends. */
export async function server(api: Api, more: Json = {}): Promise<Json> {
  const [location, image] = ['fsn1', 'debian-12'];
  const types = objects((await api.expect(200, 'GET', '/server_types?per_page=50'))['server_types']);
  const monthly = (type: Json): number =>
    Number(object(objects(type['prices']).find((price) => price['location'] === location)?.['price_monthly'])['net']);
  const [type] = types
    .filter((candidate) => candidate['architecture'] === 'x86')
    .filter((candidate) =>
      objects(candidate['locations']).some(
        (place) => place['name'] === location && place['available'] === true && place['deprecation'] == null,
      ),
    )
    .toSorted((a, b) => monthly(a) - monthly(b));
  const body = { name: fresh('server'), server_type: type?.['name'], image, location, labels: LABELS, ...more };
  const made = object((await api.act('POST', '/servers', body))['server']);
  api.undo(async () => {
    if ((await api.call('GET', `/servers/${idOf(made)}`)).status !== 404)
      await api.act('DELETE', `/servers/${idOf(made)}`);
  });
  return made;
}

/** A load balancer with no service, gone when the scenario ends. */
export async function balancer(api: Api): Promise<Json> {
  const body = { name: fresh('balancer'), load_balancer_type: 'lb11', location: 'fsn1', labels: LABELS };
  const made = object((await api.act('POST', '/load_balancers', body))['load_balancer']);
  const path = `/load_balancers/${idOf(made)}`;
  api.undo(async () => {
    if ((await api.call('GET', path)).status !== 404) await api.act('DELETE', path);
  });
  return made;
}
