import type { RecordedFault, RecordedRequest } from './hetzner-recordings.ts';
import { isObject } from './hetzner-fields.ts';
import { byState, matches, type ReplayWorld } from './hetzner-world.ts';

/**
 * The recorder's stand-in carried out much that makes no sense in its world (a target removed that was never there, a server
 * attached twice). Brings about, by calls of the API, what a request takes for granted. What cannot be had is left: the
 * request itself then tells.
 */
export async function prepare(world: ReplayWorld, request: RecordedRequest, faults: readonly RecordedFault[]): Promise<void> {
  const path = world.ids.path(request.path).replace(/^\/v1/, '');
  const body = world.ids.body(request.body, request.path);
  const field = (name: string): unknown => (isObject(body) ? body[name] : undefined);
  const act = async (where: string, what: unknown = {}): Promise<void> => {
    await world.send('POST', where, what);
    await world.settle();
  };
  const [, collection = '', id = '', , action = ''] = path.split('/');
  const self = `/${collection}/${id}/actions`;

  if (typeof request.status !== 'number' || (request.status > 299 && !faults.some(byState))) return;
  if (request.method === 'DELETE') {
    const guarded = faults.some((fault) => byState(fault) && fault.code === 'protected' && matches(fault, 'DELETE', request.path));
    if (guarded) return act(`${self}/change_protection`, { delete: true });
    if (collection === 'firewalls') {
      const firewall = (await world.send('GET', `/firewalls/${id}`, null)).body?.['firewall'];
      const applied: unknown[] = isObject(firewall) && Array.isArray(firewall['applied_to']) ? firewall['applied_to'] : [];
      if (applied.length > 0) await act(`${self}/remove_from_resources`, { remove_from: applied.map(resource) });
    }
    return;
  }
  if (request.method !== 'POST') return;
  const key = `${collection}/${action}`;
  if (key === 'servers/attach_to_network') return act(`${self}/detach_from_network`, { network: field('network') });
  if (key === 'servers/remove_from_placement_group') {
    await act(`${self}/poweroff`);
    return act(`${self}/add_to_placement_group`, { placement_group: world.ids.ours('placement_group', 901) });
  }
  if (key === 'servers/poweron' || key === 'servers/change_type') return act(`${self}/poweroff`);
  if (key === 'networks/delete_route') return act(`${self}/add_route`, body);
  if (key === 'networks/delete_subnet') return act(`${self}/add_subnet`, { type: 'cloud', network_zone: 'eu-central', ip_range: field('ip_range') });
  if (key === 'load_balancers/detach_from_network') return act(`${self}/attach_to_network`, { network: field('network') });
  if (key === 'load_balancers/remove_target') return act(`${self}/add_target`, body);
  if (key === 'load_balancers/add_target' && field('use_private_ip') === true)
    return act(`${self}/attach_to_network`, { network: world.ids.ours('network', 301) });
  if (key === 'load_balancers/enable_public_interface') return act(`${self}/disable_public_interface`);
  if (key === 'firewalls/remove_from_resources') return act(`${self}/apply_to_resources`, { apply_to: field('remove_from') });
  if (path.includes('/rrsets/') && !path.endsWith('/change_protection'))
    return act(path.replace(/\/actions\/\w+$/, '/actions/change_protection'), { change: false });
  if (key === 'primary_ips/unassign') return offBy(world, Number(id), act);
  const takes = path === '/primary_ips' || key === 'primary_ips/assign';
  if (takes && typeof field('assignee_id') === 'number') {
    // A server has one address of a kind, and gets another only while it is off.
    const server = String(field('assignee_id'));
    const listed = (await world.send('GET', `/servers/${server}`, null)).body?.['server'];
    const net = isObject(listed) && isObject(listed['public_net']) ? listed['public_net']['ipv4'] : undefined;
    if (isObject(net)) await offBy(world, Number(net['id']), act);
    if (isObject(net)) await act(`/primary_ips/${String(net['id'])}/actions/unassign`);
  }
}

/** A Primary IP leaves a server that is off and that no balancer leads to. */
async function offBy(world: ReplayWorld, primary: number, act: (where: string, what?: unknown) => Promise<void>): Promise<void> {
  const ip = (await world.send('GET', `/primary_ips/${primary}`, null)).body?.['primary_ip'];
  if (!isObject(ip) || typeof ip['assignee_id'] !== 'number') return;
  const server = { type: 'server', server: { id: ip['assignee_id'] } };
  const balancers = (await world.send('GET', '/load_balancers', null)).body?.['load_balancers'];
  for (const balancer of Array.isArray(balancers) ? balancers.filter(isObject) : [])
    await act(`/load_balancers/${String(balancer['id'])}/actions/remove_target`, server);
  await act(`/servers/${ip['assignee_id']}/actions/poweroff`);
}

const resource = (applied: unknown): unknown =>
  isObject(applied) ? { type: applied['type'], server: applied['server'], label_selector: applied['label_selector'] } : applied;
