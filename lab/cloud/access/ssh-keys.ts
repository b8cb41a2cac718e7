import { createHash } from 'node:crypto';
import { z } from 'zod';
import * as body from '../bodies.ts';
import { collection } from '../collection.ts';
import { invalidInput, notUnique } from '../errors.ts';
import { type Call, type CloudContext, created, noContent, type Routes } from '../routes.ts';
import type { SSHKey } from '../state.ts';
import { time } from '../times.ts';

const CREATE = z.object({ name: z.string().min(1), public_key: z.string().min(1), labels: body.labels.nullish() });

/** Clients that create servers look for keys, and some bring one. Nothing in the lab is ever logged in to with them. */
export function sshKeyRoutes(context: CloudContext): Routes {
  const { project, options, knobs } = context;
  const keys = collection<SSHKey>(context, {
    one: 'ssh_key',
    items: project.sshKeys,
    filters: { fingerprint: (key) => key.fingerprint },
    view: (key) => ({
      id: key.id,
      name: key.name,
      fingerprint: key.fingerprint,
      public_key: key.publicKey,
      labels: key.labels,
      created: time(key.created),
    }),
  });
  const create = (call: Call) => {
    const wanted = body.readBody(CREATE, call.body);
    const encoded = wanted.public_key.trim().split(/\s+/)[1];
    if (encoded === undefined) throw invalidInput('public_key', 'is not an SSH public key');
    const digest = createHash('md5').update(Buffer.from(encoded, 'base64')).digest('hex');
    const fingerprint = (digest.match(/../g) ?? []).join(':');
    keys.unique(wanted.name);
    if ([...project.sshKeys.values()].some((key) => key.fingerprint === fingerprint))
      throw notUnique('public_key', 'SSH key');
    keys.room(knobs.quotas.sshKeys);
    const key: SSHKey = {
      id: project.nextId(),
      name: wanted.name,
      fingerprint,
      publicKey: wanted.public_key,
      labels: wanted.labels ?? {},
      created: options.clock.wall(),
    };
    project.sshKeys.set(key.id, key);
    return created(keys.answer(key));
  };
  return {
    '/ssh_keys': { GET: keys.listing, POST: create },
    '/ssh_keys/:id': {
      GET: keys.show,
      PUT: keys.update,
      DELETE: (call) => {
        project.sshKeys.delete(keys.find(call).id);
        return noContent;
      },
    },
  };
}
