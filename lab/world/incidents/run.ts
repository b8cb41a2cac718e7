import { EXIT, Failure, textOf } from '../../../src/base/failure.ts';
import https from 'node:https';
import { text as textOfStream } from 'node:stream/consumers';
import type { LabInfo } from '../info.ts';
import { lookUp } from './facts.ts';
import { callCloud, type IncidentPorts } from './ports.ts';
import { giveStableAddress } from './stable-address.ts';
import type { FactReport, Incident, IncidentAction, IncidentReport, IncidentStep } from './types.ts';
import { kubernetesAdmin, replaceIn, talosAdmin, writeIn } from './user-files.ts';

/** How long a fact is given to come true once the steps are done, milliseconds. */
const SETTLED_MS = 20_000;

/** Brings the world up to where an incident was noticed, and says what there is to be seen. */
export async function runIncident(incident: Incident, ports: IncidentPorts): Promise<IncidentReport> {
  fits(incident, ports.info());
  if (incident.world.endpoint === 'stable-address') await giveStableAddress(ports);
  const names = { ...namesOf(ports.info(), ports), ...(await authoritiesOf(ports.info().state)) };
  const memory: { token?: string } = {};
  const done: string[] = [];
  // An address may be made on the way; one that was there keeps its name when it is no longer listed.
  let addresses: Names = {};
  const now = (): Names => {
    addresses = { ...addresses, ...addressesOf(ports.info()) };
    return { ...names, ...addresses };
  };
  now();
  for (const step of incident.steps) done.push(...(await carryOut(step, now(), ports, memory)));
  const facts: FactReport[] = [];
  const deadline = ports.clock.now() + SETTLED_MS;
  for (const fact of incident.facts) {
    for (;;) {
      const report = await lookUp(fact, ports, (text) => filled(text, now()), memory.token);
      if (!report.holds && ports.clock.now() < deadline) {
        await ports.clock.sleep(200);
        continue;
      }
      facts.push(report);
      break;
    }
  }
  const { name, title, saw } = incident;
  return { name, title, saw, steps: done, facts };
}

/** An incident needs the versions and the machines it happened with. */
function fits({ name, versions, world }: Incident, lab: LabInfo): void {
  const planes = lab.nodes.filter(({ role }) => role === 'control-plane').length;
  const workers = lab.nodes.length - planes;
  const talos = lab.nodes[0]?.talosVersion;
  const lacks = [
    ...(talos === versions.talos ? [] : [`Talos ${versions.talos}, this lab has ${talos}`]),
    ...(lab.hetzner.era === versions.hetzner
      ? []
      : [`the cloud of ${versions.hetzner}, this lab has ${lab.hetzner.era}`]),
    ...(planes === world.controlPlanes ? [] : [`${world.controlPlanes} control planes, this lab has ${planes}`]),
    ...(workers >= world.workers ? [] : [`${world.workers} workers, this lab has ${workers}`]),
  ];
  if (lacks.length === 0) return;
  throw new Failure({
    code: 'lab-incident-world',
    exit: EXIT.refused,
    what: `${name} cannot be run in this lab`,
    why: `it needs ${lacks.join('; ')}`,
    state: 'The lab is as it was.',
    next: 'Name an empty folder with --state: a lab that fits is started there.',
  });
}

type Names = Readonly<Record<string, string>>;

/** What the names in an incident's texts stand for, as of now. */
function namesOf(lab: LabInfo, ports: IncidentPorts): Names {
  const planes = lab.nodes.filter(({ role }) => role === 'control-plane');
  const [fip] = lab.floatingIPs;
  const holder = planes.find(({ name }) => name === fip?.assignedTo) ?? planes[0];
  const others = planes.filter((node) => node !== holder);
  const nodes = {
    first: planes[0],
    second: planes[1],
    third: planes[2],
    worker: lab.nodes.find(({ role }) => role === 'worker'),
    holder,
    other: others[0],
    another: others[1],
  };
  const ofNode = Object.entries(nodes).flatMap(([name, node]): [string, string][] =>
    node === undefined
      ? []
      : [
          [name, node.name],
          [`${name}.public`, node.publicIPv4],
          [`${name}.private`, node.privateIPv4],
          [`${name}.id`, String(node.serverId)],
        ],
  );
  return {
    ...Object.fromEntries(ofNode),
    endpoint: lab.endpoint,
    // More than a server's user data may be.
    filler: 'x'.repeat(40_000),
    cluster: lab.name,
    nodeToken: lab.hetzner.nodeToken,
    readOnlyToken: lab.hetzner.readOnlyToken,
    'control-planes': planes.map(({ name }) => name).join(','),
    others: others.map(({ name }) => name).join(','),
    workers: ports
      .machines()
      .filter(({ node }) => node.role === 'worker')
      .map(({ server }) => server.name)
      .join(','),
  };
}

/** Floating IPs as of now. */
function addressesOf({ floatingIPs: [first, second] }: LabInfo): Names {
  return {
    ...(first === undefined ? {} : { ip: first.ip, fip: String(first.id) }),
    ...(second === undefined ? {} : { 'ip.second': second.ip, 'fip.second': String(second.id) }),
  };
}

/** As the user's files spell them. */
async function authoritiesOf(state: string): Promise<Names> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const [cluster, machine] = [await kubernetesAdmin(state), await talosAdmin(state)];
  return { 'authority.kubernetes': base64(cluster.ca), 'authority.talos': base64(machine.ca) };
}

const filled = (text: string, names: Names): string =>
  text.replaceAll(/\{([a-z-]+(?:\.[a-z]+)?|nodeToken|readOnlyToken)\}/g, (whole, name: string) => names[name] ?? whole);

async function carryOut(
  step: IncidentStep,
  names: Names,
  ports: IncidentPorts,
  memory: { token?: string },
): Promise<string[]> {
  if ('each' in step) {
    const said = [];
    for (const node of (names[step.each] ?? '').split(','))
      said.push(await act(step.do, { ...names, node }, ports, memory));
    return said;
  }
  if ('refused' in step) {
    const why = await act(step.do, names, ports, memory).then(
      () => undefined,
      (error: unknown) => (error instanceof Failure ? `${error.what}: ${error.why}` : textOf(error)),
    );
    if (why?.includes(step.refused) !== true)
      throw new Error(
        `a step that is refused with "${step.refused}" was ${why === undefined ? 'not' : `refused with ${why}`}`,
      );
    return [`refused: ${why}`];
  }
  return [await act(step, names, ports, memory)];
}

async function act(
  action: IncidentAction,
  names: Names,
  ports: IncidentPorts,
  memory: { token?: string },
): Promise<string> {
  const fill = (text: string): string => filled(text, names);
  const { state } = ports.info();
  if ('fault' in action) {
    const given = Object.entries(action.with).map(([name, value]) => [
      name,
      typeof value === 'string' ? fill(value) : value,
    ]);
    const report = await ports.setFault(action.fault, Object.fromEntries(given));
    return `${report.id} ${action.fault}: ${report.notes.join('; ')}`;
  }
  if ('verb' in action) {
    await ports.operate(fill(action.node), action.verb);
    return `${action.verb} ${fill(action.node)}`;
  }
  if ('call' in action) {
    const [method = 'GET', path = ''] = fill(action.call).split(' ');
    const body =
      action.body === undefined
        ? undefined
        : (JSON.parse(fill(JSON.stringify(action.body)).replaceAll(/"#(\d+)"/g, '$1')) as unknown);
    const answer = await callCloud(ports, method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return `${method} ${path}: ${answer.status}`;
  }
  if ('from' in action) {
    await replaceIn(state, action.file, fill(action.from), fill(action.to));
    return `${action.file} names ${fill(action.to)}`;
  }
  if ('write' in action) {
    await writeIn(state, action.file, fill(action.write));
    return `${action.file} is written`;
  }
  if ('waitMs' in action) {
    await ports.clock.sleep(action.waitMs / ports.speed);
    return `${action.waitMs / 1000} s pass (divided by the lab's speed)`;
  }
  if ('until' in action) {
    const deadline = ports.clock.now() + action.withinMs;
    for (;;) {
      const report = await lookUp(action.until, ports, fill, memory.token);
      if (report.holds) return `${report.what}: ${report.found}`;
      if (ports.clock.now() > deadline)
        throw new Error(`${report.what}: ${report.found}, where ${report.expected} was to come`);
      await ports.clock.sleep(200);
    }
  }
  memory.token = await mintToken(ports);
  return 'a token of a service account is handed out';
}

/** As a pod gets one: from the API server's own TokenRequest. Tried at each control plane until one has the account. */
async function mintToken(ports: IncidentPorts): Promise<string> {
  const admin = await kubernetesAdmin(ports.info().state);
  const deadline = ports.clock.now() + SETTLED_MS;
  for (;;) {
    for (const { publicIPv4, role } of ports.info().nodes) {
      if (role !== 'control-plane') continue;
      const url = `https://${publicIPv4}:6443/api/v1/namespaces/default/serviceaccounts/default/token`;
      const token = await tokenFrom(url, admin).catch(() => undefined);
      if (token !== undefined) return token;
    }
    if (ports.clock.now() > deadline) throw new Error('no API server hands out a token');
    await ports.clock.sleep(200);
  }
}

function tokenFrom(url: string, admin: { ca: string; cert: string; key: string }): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} });
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = https.request(
      url,
      { method: 'POST', ...admin, agent: false, timeout: 3_000, headers },
      (response) => {
        textOfStream(response).then((answer) => {
          if (response.statusCode !== 201) return resolve(undefined);
          return resolve((JSON.parse(answer) as { status?: { token?: string } }).status?.token);
        }, reject);
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', reject);
    request.end(body);
  });
}
