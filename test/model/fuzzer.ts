import { pick as pickFrom, pickInteger, type Random } from '../../src/base/random.ts';

/** A request as a client that is wrong, hostile or just unlucky would send it. */
export interface FuzzedRequest {
  readonly method: string;
  /** Below /v1, with the query. */
  readonly path: string;
  readonly token: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string | undefined;
}

const words = (text: string): string[] => text.trim().split(/\s+/);

const COLLECTIONS: readonly string[] = words(`
  servers floating_ips actions networks load_balancers primary_ips firewalls ssh_keys placement_groups
  certificates zones images isos server_types load_balancer_types locations datacenters pricing
  volumes nothing`);
const ACTIONS: readonly string[] = words(`
  assign unassign change_protection change_dns_ptr poweron poweroff shutdown reboot reset rebuild
  change_type attach_iso attach_to_network detach_from_network change_alias_ips add_target
  remove_target add_service update_service delete_service change_algorithm add_subnet delete_subnet
  add_route delete_route set_rules apply_to_resources remove_from_resources change_ttl
  enable_rescue disable_rescue enable_backup disable_backup create_image reset_password request_console retry
  add_to_placement_group nonsense`);
const FIELDS: readonly string[] = words(`
  name type labels description server home_location delete rebuild ip dns_ptr network alias_ips
  server_type image location networks ssh_keys user_data start_after_create public_key ip_range
  subnets routes destination gateway load_balancer_type targets services algorithm protocol
  listen_port destination_port proxyprotocol health_check label_selector use_private_ip rules apply_to
  remove_from assignee_id assignee_type auto_delete records ttl mode zonefile public_net firewalls
  placement_group volumes certificate private_key domain_names http certificates sticky_sessions redirect_http
  iso __proto__ constructor toString`);
const QUERIES: readonly string[] = words(`
  page per_page sort name label_selector status id type unknown`);
const TEXTS: readonly string[] = [
  '',
  ' ',
  '0',
  '-1',
  '1',
  'null',
  'true',
  'a',
  'cp-1',
  'api',
  'fsn1',
  'cx23',
  'debian-12',
  'ipv4',
  'ipv6',
  'tcp',
  'server',
  '10.0.0.0/8',
  '10.0.0.1',
  '0.0.0.0/0',
  '999.1.1.1',
  '::1',
  '::/0',
  '300.1.1.1/99',
  'id:asc',
  'name:desc',
  'id:up',
  'running',
  'k=v',
  'k in (a,b)',
  'k in (',
  '!k',
  '==',
  '!',
  ',',
  'a=b=c',
  'k notin ()',
  '\u0000',
  '\u{1F4A9}',
  '../../etc/passwd',
  '%00',
  '"',
  '{}',
  '<script>',
  'a'.repeat(300),
  'hetzner.cloud/x',
  'round_robin',
  'lb11',
  'cloud',
  'eu-central',
  'A',
  'example.com',
];
const BROKEN: readonly string[] = [
  '{',
  '[',
  '"',
  '{"a":',
  '{"a":1,}',
  'nul',
  '\u0000',
  '{"a":1}{"b":2}',
  "{'a':1}",
  '\ufeff{}',
  '[]',
  '1',
  '"x"',
  'null',
  '{"a":NaN}',
];

type Sound = (id: (collection: string) => number, number: () => number) => Record<string, unknown>;
const network: Sound = (id, n) => ({ network: id('networks'), ip: `10.9.1.${n()}` });
const SOUND: readonly (readonly [RegExp, Sound])[] = [
  [/^\/floating_ips$/, (_, n) => ({ type: 'ipv4', home_location: 'fsn1', name: `ip-${n()}`, labels: { a: 'b' } })],
  [
    /^\/servers$/,
    (_, n) => ({ name: `server-${n()}`, server_type: 'cx23', image: 'debian-12', start_after_create: true }),
  ],
  [/^\/networks$/, (_, n) => ({ name: `net-${n()}`, ip_range: '10.9.0.0/16' })],
  [/^\/load_balancers$/, (_, n) => ({ name: `lb-${n()}`, load_balancer_type: 'lb11', location: 'fsn1' })],
  [/^\/firewalls$/, (_, n) => ({ name: `fw-${n()}`, rules: [] })],
  [/^\/placement_groups$/, (_, n) => ({ name: `pg-${n()}`, type: 'spread' })],
  [/^\/primary_ips$/, (_, n) => ({ name: `pip-${n()}`, type: 'ipv4', assignee_type: 'server', location: 'fsn1' })],
  [/^\/zones$/, (_, n) => ({ name: `zone-${n()}.example`, mode: 'primary' })],
  [/\/actions\/assign$/, (id) => ({ server: id('servers') })],
  [/\/actions\/change_protection$/, () => ({ delete: false })],
  [/\/actions\/(attach_to|detach_from)_network$/, network],
  [/\/actions\/change_alias_ips$/, (id, n) => ({ network: id('networks'), alias_ips: [`10.9.1.${n()}`] })],
  [/\/actions\/(add|remove)_target$/, (id) => ({ type: 'server', server: { id: id('servers') } })],
  [
    /\/actions\/(add|update|delete)_service$/,
    (_, n) => ({ protocol: 'tcp', listen_port: n() + 1, destination_port: 1, proxyprotocol: false }),
  ],
  [
    /\/actions\/(add|delete)_subnet$/,
    (_, n) => ({ type: 'cloud', ip_range: `10.9.${n()}.0/24`, network_zone: 'eu-central' }),
  ],
  [/\/actions\/(add|delete)_route$/, (_, n) => ({ destination: `10.100.${n()}.0/24`, gateway: '10.9.1.2' })],
  [/^\/\w+\/\d+$/, (_, n) => ({ name: `name-${n()}`, labels: {} })],
];

export interface FuzzPorts {
  readonly random: Random;
  /** Ids that exist of one collection (`servers`), to get past the first check; may be none. */
  readonly ids: (collection: string) => readonly number[];
  readonly tokens: { readonly good: string; readonly readOnly: string };
}

export function createFuzzer({ random, ids, tokens }: FuzzPorts): () => FuzzedRequest {
  const chance = (share: number): boolean => random.next() < share;
  const pick = <T>(items: readonly T[]): T => pickFrom(random, items);
  const text = (): string => pick(TEXTS);
  const id = (collection = pick(COLLECTIONS)): number => {
    const known = ids(collection);
    return known.length > 0 && chance(0.9) ? pick(known) : pickInteger(random, 0, 2 ** 31);
  };
  const scalar = (): unknown =>
    pick<() => unknown>([
      text,
      () => id(),
      () => String(id()),
      () => id('servers'),
      () => chance(0.5),
      () => null,
      () => -1,
      () => 1.5,
      () => 2 ** 53,
      () => 1e300,
      () => 6443,
    ])();
  const value = (depth: number): unknown => {
    if (depth === 0 || chance(0.6)) return scalar();
    if (chance(0.5)) return Array.from({ length: pickInteger(random, 0, 3) }, () => value(depth - 1));
    return Object.fromEntries(
      Array.from({ length: pickInteger(random, 0, 4) }, () => [pick(FIELDS), value(depth - 1)]),
    );
  };
  /** A body that would be served, for some paths; then one field of it is spoiled, or none. */
  const sound = (path: string): Record<string, unknown> | undefined => {
    const make = SOUND.find(([pattern]) => pattern.test(path))?.[1];
    if (make === undefined) return undefined;
    const made = make(id, () => pickInteger(random, 0, 200));
    if (chance(0.4)) made[pick([...Object.keys(made), 'extra'])] = value(2);
    return made;
  };
  const body = (path: string): string | undefined => {
    if (chance(0.1)) return undefined;
    if (chance(0.1)) return pick(BROKEN);
    if (chance(0.01)) return '['.repeat(20_000);
    if (chance(0.01)) return JSON.stringify({ name: 'x'.repeat(200_000) });
    const started = chance(0.6) ? sound(path) : undefined;
    if (started !== undefined) return JSON.stringify(started);
    return JSON.stringify(
      Object.fromEntries(Array.from({ length: pickInteger(random, 0, 7) }, () => [pick(FIELDS), value(3)])),
    );
  };
  const query = (): string => {
    if (chance(0.6)) return '';
    const pairs = Array.from(
      { length: pickInteger(random, 1, 3) },
      () => `${pick(QUERIES)}=${encodeURIComponent(text())}`,
    );
    return `?${pairs.join('&')}${chance(0.05) ? '&%' : ''}`;
  };
  const path = (): string => {
    const collection = chance(0.5) ? pick(['servers', 'floating_ips']) : pick(COLLECTIONS);
    const shape = random.next();
    const one = chance(0.9) ? String(id(collection)) : encodeURIComponent(text());
    if (shape < 0.25) return `/${collection}`;
    if (shape < 0.45) return `/${collection}/${one}`;
    if (shape < 0.85) return `/${collection}/${one}/actions/${pick(ACTIONS)}`;
    if (shape < 0.9) return `/${collection}/${one}/actions`;
    if (shape < 0.95) return `/zones/${one}/rrsets/${encodeURIComponent(text())}/A`;
    return `/${encodeURIComponent(text())}//${collection}/${one}/`;
  };
  return () => {
    const method = pick(['GET', 'GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']);
    const who = random.next();
    const where = path();
    return {
      method,
      path: where + query(),
      token: who < 0.9 ? tokens.good : who < 0.94 ? tokens.readOnly : who < 0.97 ? 'wrong' : undefined,
      contentType: chance(0.2)
        ? undefined
        : pick(['application/json', 'application/json; charset=utf-8', 'text/plain']),
      body: method === 'GET' || method === 'HEAD' ? undefined : body(where),
    };
  };
}
