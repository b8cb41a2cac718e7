import { z } from 'zod';

/** Text in which {first}, {holder}, {ip}, {worker.private} and the like stand for what they are in this world. */
const text = z.string().min(1);
const value = z.union([z.string(), z.number(), z.boolean()]);

const sight = z.enum([
  'silent',
  'refused',
  'reset',
  'unknown-authority',
  'name-missing',
  'expired',
  'not-yet-valid',
  'failed',
]);

/** Something anybody can look up; nothing of it is fairlead's opinion. */
const fact = z.union([
  z.strictObject({
    /** https://ADDRESS:PORT/PATH, asked once, TLS checked against the cluster's authority. */
    ask: text,
    /** `token`: of a service account, minted by the step of that name. */
    as: z.enum(['admin', 'token', 'nobody']).default('admin'),
    sees: z.array(z.union([sight, z.stringFormat('status', /^http \d{3}$/)])).min(1),
    says: text.optional(),
  }),
  z.strictObject({
    /** Address whose Talos API is asked for its version, with the user's talosconfig. */
    talos: text,
    /** Node the question is meant for, where that is another. */
    node: text.optional(),
    /** `version`, or a part of the error's text. */
    sees: text,
  }),
  z.strictObject({
    /** The floating IP, as cloud, network and links have it. */
    address: z.strictObject({
      assignedTo: text.nullable().optional(),
      routedTo: text.nullable().optional(),
      claimedBy: z.array(text).optional(),
    }),
  }),
  z.strictObject({ /** Log of a node. */ log: text, says: text }),
  z.strictObject({
    /** Members of etcd, as the first control plane that answers lists them. */
    members: z.number(),
    /** Peer URL that one of them has. */
    peer: text.optional(),
  }),
  z.strictObject({ /** Config that is in force on a node. */ config: text, says: z.array(text) }),
  z.strictObject({
    /** `GET /floating_ips`, with the token of the user. */
    cloud: text,
    status: z.number(),
    says: text.optional(),
  }),
]);

const action = z.union([
  z.strictObject({
    /** One of the catalogue, with its parameters. */
    fault: text,
    with: z.record(z.string(), value).default({}),
  }),
  z.strictObject({ node: text, verb: z.enum(['delete', 'recreate', 'power-off', 'power-on', 'reboot', 'replace']) }),
  /** A call somebody made. */
  z.strictObject({ call: text, body: z.record(z.string(), z.unknown()).optional() }),
  /** A file of the user's: text in it is another now. */
  z.strictObject({ file: text, from: text, to: z.string() }),
  z.strictObject({ /** A file of the user's comes to be. */ file: text, write: text }),
  /** At speed 1. */
  z.strictObject({ waitMs: z.number().positive() }),
  z.strictObject({ until: fact, withinMs: z.number().positive() }),
  z.strictObject({ mint: z.literal('token') }),
]);

const step = z.union([
  action,
  /** The same to several; {node} is each. */
  z.strictObject({ each: z.enum(['control-planes', 'workers', 'others']), do: action }),
  /** It is refused, with these words in it. */
  z.strictObject({ refused: text, do: action }),
]);

export const incidentSchema = z.strictObject({
  /** As it is asked for; nothing that a client of the lab gets to see. */
  name: z.stringFormat('name', /^[a-z0-9]+(-[a-z0-9]+)*$/),
  title: text,
  versions: z.strictObject({
    talos: z.enum(['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1']),
    hetzner: z.enum(['2025', 'until-2026-09', 'from-2026-10']),
    /** What it happened on. */
    happenedOn: text,
  }),
  world: z.strictObject({
    controlPlanes: z.number().int().positive(),
    workers: z.number().int().nonnegative(),
    /** `node`: the first control plane's own address is the endpoint. `stable-address`: a floating IP that Talos moves. */
    endpoint: z.enum(['node', 'stable-address']),
    knobs: z.record(z.string(), z.string()).optional(),
  }),
  steps: z.array(step).min(1),
  /** What an operator saw at the time. */
  saw: text,
  /** What of it is there to be seen when the steps are done. */
  facts: z.array(fact).min(1),
  source: z.array(text).min(1),
});

export type Incident = z.output<typeof incidentSchema>;
export type IncidentStep = z.output<typeof step>;
export type IncidentAction = z.output<typeof action>;
export type IncidentFact = z.output<typeof fact>;

/** A fact as it was found. */
export interface FactReport {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
}

/** What `fairlead lab incident run` prints. */
export interface IncidentReport {
  readonly name: string;
  readonly title: string;
  readonly saw: string;
  /** What was done to the world, in order. */
  readonly steps: readonly string[];
  readonly facts: readonly FactReport[];
}
