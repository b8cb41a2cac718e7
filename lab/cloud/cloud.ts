import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Failure, textOf } from '../../src/base/failure.ts';
import { certificateRoutes } from './access/certificates.ts';
import { firewallRoutes } from './access/firewalls.ts';
import { placementGroupRoutes } from './access/placement-groups.ts';
import { sshKeyRoutes } from './access/ssh-keys.ts';
import { actionRoutes } from './action-routes.ts';
import { createActionRunner } from './actions.ts';
import { loadBalancerRoutes } from './balancers/routes.ts';
import { byIdOrName, IMAGES, LOCATIONS, SERVER_TYPES } from './catalogue.ts';
import { NO_FAULTS } from './faults.ts';
import { floatingIPRoutes } from './floating-ips.ts';
import { createApp } from './http.ts';
import { type CloudKnobs, DEFAULT_KNOBS } from './knobs.ts';
import { imageRoutes } from './images.ts';
import { checkLabels } from './labels.ts';
import { lookupRoutes } from './lookups.ts';
import { networkById, place } from './networking/membership.ts';
import { networkRoutes } from './networking/networks.ts';
import { givePublicAddresses, primaryIPRoutes } from './networking/primary-ips.ts';
import type { CloudContext, Routes } from './routes.ts';
import { saveProject, takeUp, tellAll } from './saved.ts';
import { serverActionRoutes } from './server-actions.ts';
import { serverCareRoutes } from './server-care.ts';
import { serverMachineRoutes } from './server-machines.ts';
import { serverRoutes } from './servers.ts';
import { asCloudFloatingIP, asCloudServer, createProject, primaryIPOf, type Server } from './state.ts';
import { rrsetRoutes } from './zones/rrset-routes.ts';
import { zoneRoutes } from './zones/routes.ts';
import { privateNetworksOf } from './networking/private-networks.ts';
import { createTamper } from './tamper.ts';
import type { Cloud, CloudOptions } from './types.ts';

/** One Hetzner Cloud project, answering over HTTP as the API of the chosen era does. Port 0 takes any free one. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { clock, random, speed } = options;
  const project = createProject(random, options.network, clock.wall(), options.project?.firstNetwork);
  if (options.project !== undefined) takeUp(project, options.project, random);
  const actions = createActionRunner({ clock, random, speed, project, faults: options.faults });
  const settings: CloudKnobs = {
    ...DEFAULT_KNOBS,
    ...options.knobs,
    quotas: { ...DEFAULT_KNOBS.quotas, ...options.knobs?.quotas },
  };
  const knobs: CloudKnobs = {
    ...settings,
    get quotas() {
      return (options.faults ?? NO_FAULTS).quotas(settings.quotas);
    },
  };
  const context: CloudContext = { options, knobs, project, actions };
  const routes: Routes = {
    ...actionRoutes(context),
    ...serverRoutes(context),
    ...serverActionRoutes(context),
    ...serverMachineRoutes(context),
    ...serverCareRoutes(context),
    ...imageRoutes(context),
    ...floatingIPRoutes(context),
    ...primaryIPRoutes(context),
    ...networkRoutes(context),
    ...loadBalancerRoutes(context),
    ...firewallRoutes(context),
    ...placementGroupRoutes(context),
    ...certificateRoutes(context),
    ...sshKeyRoutes(context),
    ...zoneRoutes(context),
    ...rrsetRoutes(context),
    ...lookupRoutes(context),
  };
  const app = createApp(context, routes);

  const listener = getRequestListener(app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  server.listen({ host: options.address, port: options.port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new Failure({
      code: 'lab-port-in-use',
      what: `the cloud API cannot listen on ${options.address}:${options.port}`,
      why: textOf(error),
      state: 'nothing of the cloud was started',
      next: `find what listens there with "ss -ltnp sport = :${options.port}", end it, and run the command again`,
      cause: error,
    });
  }
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;

  return {
    url: options.url ?? `http://${options.address}:${port}/v1`,
    paths: Object.entries(routes).map(([at, verbs]) => ({ path: `/v1${at}`, verbs: Object.keys(verbs) })),
    servers: () => [...project.servers.values()].map(asCloudServer),
    floatingIPs: () => [...project.floatingIPs.values()].map(asCloudFloatingIP),
    addServer(spec) {
      const location = byIdOrName(LOCATIONS, spec.location ?? 'fsn1');
      const [type, image] = [byIdOrName(SERVER_TYPES, 'cx33'), byIdOrName(IMAGES, 'debian-12')];
      if (location === undefined || type === undefined || image === undefined)
        throw new RangeError(`unknown location ${spec.location}`);
      const added: Server = {
        id: project.nextId(),
        name: spec.name,
        status: 'running',
        created: clock.wall(),
        publicIPv4: '',
        privateIPv4: options.effects.allocate('private'),
        networks: new Map(),
        type,
        image,
        iso: null,
        location,
        labels: checkLabels(spec.labels),
        protection: { delete: false, rebuild: false },
        userData: spec.userData,
        placementGroup: null,
        rescue: 'none',
        backupWindow: null,
      };
      const network = networkById(project, project.firstNetwork);
      added.networks.set(network.id, place(project, options, added, network, {}));
      givePublicAddresses(context, added, { ipv4: undefined, ipv6: undefined });
      project.servers.set(added.id, added);
      return asCloudServer(added);
    },
    publicIPv6: (id) => primaryIPOf(project, { type: 'server', id }, 'ipv6')?.ip ?? '',
    privateNetworks: (id) => privateNetworksOf(project, id),
    stopped(id) {
      const stopped = project.servers.get(id);
      if (stopped !== undefined && stopped.status === 'running') stopped.status = 'off';
    },
    tamper: createTamper(context),
    async ended(id) {
      const action = project.actions.get(id);
      if (action !== undefined) await actions.ended(action);
    },
    quiet: (signal) => actions.quiet(signal),
    save: () => saveProject(project),
    tellAll: () => tellAll(context),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, actions.close()]);
    },
  };
}
