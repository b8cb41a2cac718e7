import * as z from 'zod';
import { API_VERSION } from '../base/version.ts';

const reference = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'a reference: env:NAME or file:PATH (never the secret itself)')
  .meta({ description: 'A value by reference: env:NAME or file:PATH, relative to this file.' });

const file = z.string().min(1).meta({ description: 'A path, relative to this file.' });
const port = z.int().min(1).max(65535);
const label = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and hyphens, at most 63');

/** Whether a token sent there is seen by nobody on the way. */
function keepsToken(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { protocol, hostname } = new URL(url);
  // 198.18.0.0/15 is set aside for test networks (RFC 2544) and routed nowhere: a lab of namespaces lives there.
  return protocol === 'https:' || /^(127\.\d+\.\d+\.\d+|198\.1[89]\.\d+\.\d+|localhost|\[::1\])$/.test(hostname);
}

const exactlyOne = (what: string) => (value: object, context: z.RefinementCtx) => {
  const given = Object.values(value).filter((v) => v !== undefined).length;
  if (given !== 1) context.addIssue({ code: 'custom', message: `exactly one of ${what}` });
};
/** For editors: JSON Schema cannot see the refinement. */
const oneProperty = { minProperties: 1, maxProperties: 1 };

const adopt = z
  .strictObject({
    name: z.string().min(1).optional(),
    id: z.int().positive().optional(),
    ip: z.ipv4().optional(),
  })
  .superRefine(exactlyOne('name, id, ip'))
  .meta({ ...oneProperty, description: 'An address that exists: by name, id or IP.' });

/** The configuration file, `fairlead.yaml`. Unknown keys are errors: a misspelt key must not be silently ignored. */
export const clusterConfigSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION).meta({ description: 'Version of this format.' }),
  kind: z.literal('Cluster'),
  name: label.meta({ description: 'Name of the Talos cluster (cluster.clusterName).' }),
  mode: z
    .enum(['talos-vip', 'load-balancer', 'guard'])
    .meta({ description: "Who moves the address: Talos' own VIP, a Hetzner load balancer, or fairlead's guard." }),
  endpoint: z
    .strictObject({
      host: z
        .string()
        .regex(
          /^(?!.*\.\.)[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/,
          'a DNS name or an IPv4 address alone: no https://, no port (endpoint.port), no path',
        )
        .optional()
        .meta({ description: 'DNS name of the endpoint; absent = the address itself.' }),
      port: port.default(6443),
    })
    .prefault({})
    .meta({ description: 'The stable URL that clients use.' }),
  address: z
    .strictObject({
      adopt: adopt.optional(),
      create: z
        .strictObject({ name: z.string().min(1), location: z.string().min(1) })
        .optional()
        .meta({ description: 'Reserve a new floating IP of this name in this home location.' }),
    })
    .superRefine(exactlyOne('adopt, create'))
    .meta({ ...oneProperty, description: 'The floating IP behind the endpoint.' }),
  hetzner: z.strictObject({
    token: reference.meta({ description: "fairlead's own read/write token of the Hetzner Cloud project." }),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .refine(
        keepsToken,
        'https; plain http only to this machine or a test network (198.18.0.0/15), because the token would travel in clear',
      )
      .optional()
      .meta({ description: 'Base URL of the Cloud API.' }),
  }),
  talosVip: z
    .strictObject({
      token: reference.meta({
        description:
          'The token that is written onto every control plane (project-wide write access; a token of its own is better).',
      }),
      variable: z
        .string()
        .regex(/^[A-Z_][A-Z0-9_]*$/, 'a variable name in capitals')
        .default('TALOS_VIP_TOKEN')
        .meta({ description: 'Name under which the repository knows that token: patches say ${NAME}.' }),
    })
    .optional(),
  talos: z.strictObject({
    config: reference.meta({ description: 'The talosconfig.' }),
    context: z.string().min(1).optional(),
  }),
  kubernetes: z
    .strictObject({
      kubeconfig: reference.optional().meta({
        description:
          'A kubeconfig with administrator rights. Without one that works, Talos makes credentials for the run.',
      }),
      context: z.string().min(1).optional(),
    })
    .prefault({}),
  consumers: z
    .strictObject({
      kubeconfig: z.array(z.strictObject({ file, context: z.string().min(1).optional() })).default([]),
      talosconfig: z.array(z.strictObject({ file, context: z.string().min(1).optional() })).default([]),
      secrets: z.array(z.never()).max(0).default([]).meta({ description: 'CI secrets: not built yet.' }),
      repository: z.strictObject({ path: file }).optional().meta({
        description: 'The folder that new nodes get their machine config from: talos/{cluster,control-planes,workers}.',
      }),
      runbook: z.strictObject({ file }).optional().meta({ description: 'The runbook: not built yet.' }),
    })
    .prefault({})
    .meta({ description: 'Everything that stores the endpoint.' }),
  owners: z
    .strictObject({
      harmless: z.array(z.string().min(1)).default([]).meta({
        description:
          'What looks as if it moved the address and does not: `namespace/name` of a workload, `ksail`, `terraform`, or `service NODE/ID`.',
      }),
    })
    .prefault({})
    .meta({
      description: 'Exactly one may move the address. Others that were found are a refusal, unless named here.',
    }),
  resolvers: z.array(z.string().min(1)).default([]).meta({
    description: 'DNS servers to ask, address or address:port, also where an endpoint is dialled by its name.',
  }),
  state: z.string().min(1).default('.fairlead/state').meta({
    description:
      'Where journal and evidence are kept: a folder, or `cluster` for a Secret of the cluster (then journal.recipients is needed).',
  }),
  journal: z
    .strictObject({
      recipients: z
        .array(z.string().regex(/^age1[a-z0-9]+$/, 'an age recipient: age1…'))
        .default([])
        .meta({
          description:
            'age recipients that may open what is secret in the journal. None: a key of your own, made on first use in ~/.config/fairlead.',
        }),
      identity: reference.optional().meta({ description: 'The age identity that opens it, for undo.' }),
    })
    .prefault({})
    .meta({ description: 'Who may read the original configs that the journal keeps.' }),
});

/** What the file says, defaults filled in. */
export type ClusterConfig = z.output<typeof clusterConfigSchema>;

/** The JSON Schema of the file, for editors: `fairlead config schema`. */
export const configJsonSchema = (): Record<string, unknown> => ({
  ...z.toJSONSchema(clusterConfigSchema, { io: 'input' }),
  $id: 'https://fairlead.dev/schema/fairlead-v1alpha1.json',
  title: 'fairlead.yaml',
});
