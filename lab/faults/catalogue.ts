import { NODE_CATALOGUE } from './nodes/catalogue.ts';
import type { CloudKnobs } from '../cloud/knobs.ts';
import type { FaultRule, ParameterRule } from './types.ts';

const COUNT: ParameterRule = { name: 'count', form: 'whole', brief: 'how often it acts (default: until cleared)' };
const CONNECTIONS: ParameterRule = {
  name: 'count',
  form: 'whole',
  brief: 'how many connections it befalls (default: all); they stay befallen until it is cleared',
};
const DURATION: ParameterRule = {
  name: 'duration',
  form: 'duration',
  brief: 'how long it lasts (default: until cleared)',
};
const NODE: ParameterRule = { name: 'node', form: 'node', brief: 'name of a node', required: true };
const ADDRESS: ParameterRule = {
  name: 'address',
  form: 'address',
  brief: 'floating IP, by address, id or name (default: the only one)',
};
const delay = (brief: string, value: number): ParameterRule => ({
  name: 'delay',
  form: 'duration',
  brief,
  default: value,
});

/** Which requests: the lab's own calls (`lab node …`) are left alone unless named. */
const REQUESTS: readonly ParameterRule[] = [
  { name: 'path', form: 'glob', brief: 'below /v1, as /floating_ips/*/actions/assign', default: '**' },
  { name: 'method', form: 'text', brief: 'GET, POST, PUT, DELETE or write (all but GET)' },
  {
    name: 'party',
    form: 'sender',
    brief: 'who asks: fairlead, node/NAME, lab, a User-Agent (globs; default: all but lab)',
  },
  COUNT,
  DURATION,
];
const ACTIONS: readonly ParameterRule[] = [
  { name: 'action', form: 'glob', brief: 'command, as assign_floating_ip or *_server', default: '*' },
  { name: 'node', form: 'node', brief: 'only actions on this server' },
  COUNT,
  DURATION,
];
const BETWEEN: readonly ParameterRule[] = [
  { name: 'from', form: 'party', brief: 'client, cloud, dns, a node or a load balancer', required: true },
  { name: 'to', form: 'party', brief: 'client, cloud, dns, a node or a load balancer', required: true },
  { name: 'one-way', form: 'yes', brief: 'only what --from sends to --to' },
];
const NAME: ParameterRule = { name: 'name', form: 'glob', brief: 'which names, as **.example.org', default: '**' };

/** What can be used up, and the cloud's own word for it. */
export const QUOTAS = [
  ['servers', 'servers'],
  ['floating-ips', 'floatingIPs'],
  ['floating-ips-per-server', 'floatingIPsPerServer'],
  ['primary-ips', 'primaryIPs'],
  ['networks', 'networks'],
  ['load-balancers', 'loadBalancers'],
  ['firewalls', 'firewalls'],
  ['placement-groups', 'placementGroups'],
  ['certificates', 'certificates'],
  ['ssh-keys', 'sshKeys'],
  ['zones', 'zones'],
] as const satisfies readonly (readonly [string, keyof CloudKnobs['quotas']])[];

/** Every fault the lab knows. The reference and the checks of `fault set` are made of this. */
export const CATALOGUE: readonly FaultRule[] = [
  {
    kind: 'cloud-status',
    system: 'cloud API',
    brief: 'requests are refused with a status',
    parameters: [
      { name: 'status', form: 'whole', brief: '401, 403, 404, 409, 422, 423, 429 or 5xx', required: true },
      { name: 'code', form: 'text', brief: "error code of the answer (default: the API's usual one)" },
      ...REQUESTS,
    ],
  },
  {
    kind: 'cloud-rate-limit',
    system: 'cloud API',
    brief: 'a window in which every request is 429, with RateLimit headers that say when it ends',
    parameters: REQUESTS.filter((rule) => rule !== COUNT).map((rule) =>
      rule === DURATION ? { ...rule, brief: 'length of the window', default: 30_000 } : rule,
    ),
  },
  {
    kind: 'cloud-hang',
    system: 'cloud API',
    brief: 'requests are read and never answered; when the fault ends, their connections are reset',
    parameters: REQUESTS,
  },
  {
    kind: 'cloud-slow',
    system: 'cloud API',
    brief: 'requests are answered late',
    parameters: [delay('how much later', 3_000), ...REQUESTS],
  },
  {
    kind: 'cloud-reset',
    system: 'cloud API',
    brief: 'connections are reset before anything is done',
    parameters: REQUESTS,
  },
  {
    kind: 'cloud-lost-answer',
    system: 'cloud API',
    brief: 'the request is carried out, then the connection is reset instead of an answer (the ambiguous POST)',
    parameters: REQUESTS,
  },
  {
    kind: 'action-late',
    system: 'actions',
    brief: 'actions succeed late',
    parameters: [delay('how much later', 30_000), ...ACTIONS],
  },
  {
    kind: 'action-error',
    system: 'actions',
    brief: 'actions end in error, without their effect',
    parameters: [
      { name: 'code', form: 'text', brief: 'error code', default: 'action_failed' },
      { name: 'message', form: 'text', brief: 'error message', default: 'Action failed' },
      ...ACTIONS,
    ],
  },
  {
    kind: 'action-without-effect',
    system: 'actions',
    brief:
      'assign, unassign and power actions succeed and show in the record, but nothing happens to packets or machines',
    parameters: ACTIONS,
  },
  {
    kind: 'address-moved',
    system: 'project',
    brief: 'a stranger assigns the floating IP to another server',
    parameters: [
      ADDRESS,
      { name: 'node', form: 'node', brief: 'the new holder (default: a server that is not the holder)' },
      DURATION,
    ],
  },
  { kind: 'address-deleted', system: 'project', brief: 'the floating IP is gone', parameters: [ADDRESS, DURATION] },
  {
    kind: 'address-unprotected',
    system: 'project',
    brief: 'its delete protection is off',
    parameters: [ADDRESS, DURATION],
  },
  {
    kind: 'address-foreign',
    system: 'project',
    brief: 'it belongs to another project: this one no longer lists it, packets go where they went',
    parameters: [ADDRESS, DURATION],
  },
  {
    kind: 'address-unrouted',
    system: 'project',
    brief: 'assigned, but packets lead nowhere',
    parameters: [ADDRESS, DURATION],
  },
  {
    kind: 'address-stranger',
    system: 'project',
    brief: 'an address that was given back belongs to another customer, whose cluster answers there with its own CA',
    parameters: [
      { name: 'address', form: 'text', brief: 'of a server or floating IP that was deleted', required: true },
      DURATION,
    ],
  },
  {
    kind: 'quota-reached',
    system: 'project',
    brief: 'nothing more of a kind can be made',
    parameters: [
      {
        name: 'resource',
        form: 'text',
        brief: 'what is used up',
        values: QUOTAS.map(([name]) => name),
        required: true,
      },
      COUNT,
      DURATION,
    ],
  },
  ...(['token-revoked', 'token-read-only'] as const).map((kind): FaultRule => ({
    kind,
    system: 'project',
    brief: kind === 'token-revoked' ? 'a token is revoked: 401' : 'a token was replaced by a read-only one',
    parameters: [
      {
        name: 'token',
        form: 'text',
        brief: "fairlead's, the nodes', or the read-only one",
        values: ['fairlead', 'node', 'read-only'],
        required: true,
      },
      COUNT,
      DURATION,
    ],
  })),
  {
    kind: 'node-hung',
    system: 'network',
    brief: 'a node accepts connections and says nothing',
    parameters: [NODE, DURATION],
  },
  { kind: 'node-refusing', system: 'network', brief: 'a node refuses every connection', parameters: [NODE, DURATION] },
  {
    kind: 'partition',
    system: 'network',
    brief: 'two parties no longer hear each other',
    parameters: [...BETWEEN, CONNECTIONS, DURATION],
  },
  {
    kind: 'latency',
    system: 'network',
    brief: 'bytes and connections between two parties are held back',
    parameters: [delay('each way, per connection and chunk', 200), ...BETWEEN, CONNECTIONS, DURATION],
  },
  {
    kind: 'loss',
    system: 'network',
    brief:
      'a share of packets is lost: TCP sends them again, so they come late (1 s, 3 s … a connection; 0.2 s, 0.6 s … data)',
    parameters: [
      { name: 'percent', form: 'percent', brief: 'share that is lost', default: 10 },
      ...BETWEEN,
      CONNECTIONS,
      DURATION,
    ],
  },
  {
    kind: 'firewall',
    system: 'network',
    brief: "a node's port is closed: new connections are swallowed, open ones live on",
    parameters: [
      NODE,
      { name: 'port', form: 'whole', brief: 'the port (default: all)' },
      { name: 'from', form: 'party', brief: 'only for this source (default: all)' },
      CONNECTIONS,
      DURATION,
    ],
  },
  {
    kind: 'dns',
    system: 'DNS',
    brief: 'names are answered wrongly or not at all',
    parameters: [
      {
        name: 'answer',
        form: 'text',
        brief: 'nxdomain, none, stale (what was true when the fault was set), servfail, or an IPv4 address',
        required: true,
      },
      NAME,
      COUNT,
      DURATION,
    ],
  },
  ...NODE_CATALOGUE,
];

export const ruleOf = (kind: string): FaultRule | undefined => CATALOGUE.find((rule) => rule.kind === kind);
