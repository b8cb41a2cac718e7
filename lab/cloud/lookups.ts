import { createHash } from 'node:crypto';
import { z } from 'zod';
import * as body from './bodies.ts';
import { datacenterOf, IMAGES, LOCATIONS, SERVER_TYPES } from './catalogue.ts';
import { ApiError, invalidInput, notFound, notInTheLab, notUnique } from './errors.ts';
import { type Call, type CloudContext, created, noContent, ok, readOnly, type Routes } from './routes.ts';
import { list } from './listing.ts';
import type { SSHKey } from './state.ts';
import { imageView, networkView, primaryIPView, serverTypeView, time } from './views.ts';

/** Everything that clients look up on their way to servers and addresses. */
export function lookupRoutes(context: CloudContext): Routes {
  const { project, options, knobs } = context;
  const { perPageAboveLimit } = knobs;
  const byName = { name: (item: { readonly name: string | null }) => item.name ?? '' };
  const sorts = {
    id: (item: { readonly id: number }) => item.id,
    name: (item: { readonly name?: string | null }) => item.name ?? '',
  };
  const nothing = (path: string, one: string, what: string): Routes => {
    const routes = readOnly<{ id: number; name: string }>(
      path,
      one,
      () => [],
      {
        key: path.slice(1),
        filters: byName,
        labels: () => ({}),
        sorts: { ...sorts, created: () => 0 },
        perPageAboveLimit,
      },
      (item) => item,
    );
    const create = () => {
      throw notInTheLab(what);
    };
    return { ...routes, [path]: { ...routes[path], POST: create } };
  };

  return {
    ...readOnly(
      '/locations',
      'location',
      () => LOCATIONS,
      { key: 'locations', filters: byName, sorts, perPageAboveLimit },
      (l) => l,
    ),
    ...readOnly(
      '/server_types',
      'server_type',
      () => SERVER_TYPES,
      { key: 'server_types', filters: byName, sorts, perPageAboveLimit },
      serverTypeView,
    ),
    ...readOnly(
      '/images',
      'image',
      () => IMAGES,
      {
        key: 'images',
        filters: { ...byName, type: (i) => i.type, architecture: () => 'x86', status: () => 'available' },
        labels: () => ({}),
        sorts: { ...sorts, created: () => 0 },
        perPageAboveLimit,
      },
      (image) => imageView(image, options.era),
    ),
    ...readOnly(
      '/networks',
      'network',
      () => [project.network],
      { key: 'networks', filters: byName, labels: () => ({}), sorts, perPageAboveLimit },
      (network) => networkView(network, project),
    ),
    ...readOnly(
      '/primary_ips',
      'primary_ip',
      () => [...project.servers.values()].map((server) => primaryIPView(server, options.era)),
      {
        key: 'primary_ips',
        filters: { ...byName, ip: (p) => p.ip },
        labels: () => ({}),
        sorts: { ...sorts, created: (p) => p.created },
        perPageAboveLimit,
      },
      (primary) => primary,
    ),
    ...datacenterRoutes(context),
    ...sshKeyRoutes(context),
    ...nothing('/firewalls', 'firewall', 'firewalls'),
    ...nothing('/load_balancers', 'load_balancer', 'load balancers'),
    ...nothing('/volumes', 'volume', 'volumes'),
    ...nothing('/placement_groups', 'placement_group', 'placement groups'),
    ...nothing('/certificates', 'certificate', 'certificates'),
    ...nothing('/isos', 'iso', 'ISOs'),
  };
}

/** Gone since October 2026; before, a list with a recommendation beside it. */
function datacenterRoutes({ options, knobs }: CloudContext): Routes {
  const gone = () => {
    throw new ApiError(410, 'deprecated_api_endpoint', 'data centers are no longer part of the API; use locations', {
      announcement: 'https://docs.hetzner.cloud/changelog',
    });
  };
  if (options.era === 'from-2026-10') return { '/datacenters': { GET: gone }, '/datacenters/:id': { GET: gone } };
  const all = LOCATIONS.map(datacenterOf);
  const routes = readOnly(
    '/datacenters',
    'datacenter',
    () => all,
    {
      key: 'datacenters',
      filters: { name: (d) => d.name },
      sorts: { id: (d) => d.id, name: (d) => d.name },
      perPageAboveLimit: knobs.perPageAboveLimit,
    },
    (d) => d,
  );
  const listAll = routes['/datacenters']?.GET;
  if (listAll === undefined) return routes;
  return {
    ...routes,
    '/datacenters': {
      GET: (call) => {
        const reply = listAll(call);
        return { ...reply, body: { ...reply.body, recommendation: all[0]?.id ?? 1 } };
      },
    },
  };
}

/** Clients that create servers look for keys, and some bring one. Nothing in the lab is ever logged in to with them. */
function sshKeyRoutes({ project, options, knobs }: CloudContext): Routes {
  const view = (key: SSHKey) => ({
    id: key.id,
    name: key.name,
    fingerprint: key.fingerprint,
    public_key: key.publicKey,
    labels: key.labels,
    created: time(key.created),
  });
  const find = ({ param }: Call): SSHKey => {
    const key = project.sshKeys.get(Number(param('id')));
    if (key === undefined) throw notFound('SSH key', param('id'));
    return key;
  };
  const create = (call: Call) => {
    const wanted = body.readBody(
      z.object({ name: z.string().min(1), public_key: z.string().min(1), labels: body.labels.nullish() }),
      call.body,
    );
    const encoded = wanted.public_key.trim().split(/\s+/)[1];
    if (encoded === undefined) throw invalidInput('public_key', 'is not an SSH public key');
    const fingerprint = (
      createHash('md5').update(Buffer.from(encoded, 'base64')).digest('hex').match(/../g) ?? []
    ).join(':');
    const keys = [...project.sshKeys.values()];
    if (keys.some((key) => key.name === wanted.name)) throw notUnique('name', 'SSH key');
    if (keys.some((key) => key.fingerprint === fingerprint)) throw notUnique('public_key', 'SSH key');
    const key: SSHKey = {
      id: project.nextId(),
      name: wanted.name,
      fingerprint,
      publicKey: wanted.public_key,
      labels: wanted.labels ?? {},
      created: options.clock.wall(),
    };
    project.sshKeys.set(key.id, key);
    return created({ ssh_key: view(key) });
  };
  return {
    '/ssh_keys': {
      GET: ({ url }) => {
        const listed = list(
          [...project.sshKeys.values()],
          url,
          {
            key: 'ssh_keys',
            filters: { name: (k) => k.name, fingerprint: (k) => k.fingerprint },
            labels: (k) => k.labels,
            sorts: { id: (k) => k.id, name: (k) => k.name },
            perPageAboveLimit: knobs.perPageAboveLimit,
          },
          view,
        );
        return { status: 200, body: listed.body, link: listed.link };
      },
      POST: create,
    },
    '/ssh_keys/:id': {
      GET: (call) => ok({ ssh_key: view(find(call)) }),
      DELETE: (call) => {
        project.sshKeys.delete(find(call).id);
        return noContent;
      },
    },
  };
}
