import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { textOf } from '../../../src/base/failure.ts';
import { ActionError } from '../actions.ts';
import { tellBalancer } from '../balancers/tell.ts';
import * as body from '../bodies.ts';
import { collection } from '../collection.ts';
import { ApiError, invalidInput } from '../errors.ts';
import { type Call, type CloudContext, created, noContent, type Reply, type Routes } from '../routes.ts';
import type { Action, Project } from '../state.ts';
import { time } from '../times.ts';
import { actionView } from '../views.ts';
import type { Certificate } from './certificate-state.ts';
import { managedCertificates } from './managed-certificates.ts';

const CREATE = z.object({
  name: z.string().min(1),
  type: z.enum(['uploaded', 'managed']).nullish(),
  labels: body.labels.nullish(),
  certificate: z.string().nullish(),
  private_key: z.string().nullish(),
  domain_names: z.array(z.string().min(1)).nullish(),
});

/** Balancers that serve with it. */
const usersOf = (project: Project, id: number): number[] =>
  [...project.loadBalancers.values()]
    .filter(({ services }) => services.some((service) => service.http?.certificates.includes(id) === true))
    .map((balancer) => balancer.id);

const certificateView = (certificate: Certificate, project: Project) => ({
  id: certificate.id,
  name: certificate.name,
  labels: certificate.labels,
  type: certificate.type,
  certificate: certificate.issued?.pem ?? null,
  created: time(certificate.created),
  not_valid_before: certificate.issued === undefined ? null : time(certificate.issued.notBefore),
  not_valid_after: certificate.issued === undefined ? null : time(certificate.issued.notAfter),
  domain_names: certificate.domainNames,
  fingerprint: certificate.issued?.fingerprint ?? null,
  status: certificate.status && {
    ...certificate.status,
    error: certificate.status.error && { ...certificate.status.error, details: null },
  },
  used_by: usersOf(project, certificate.id).map((id) => ({ id, type: 'load_balancer' })),
});

type Uploaded = Pick<Certificate, 'issued' | 'domainNames'>;

/** Reads an uploaded certificate and looks whether the key is its own. */
function uploaded(pem: string, key: string): Uploaded {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    throw invalidInput('certificate', 'is not a certificate in PEM form');
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('another key');
  } catch {
    throw invalidInput('private_key', 'is not the private key of the certificate');
  }
  const names = certificate.subjectAltName?.split(', ') ?? [];
  return {
    domainNames: names.flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4)] : [])),
    issued: {
      pem,
      key,
      fingerprint: certificate.fingerprint256,
      notBefore: new Date(certificate.validFrom),
      notAfter: new Date(certificate.validTo),
    },
  };
}

/** Certificates for balancers that end TLS: uploaded ones, and managed ones, which an authority of the lab issues. */
export function certificateRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const certificates = collection<Certificate>(context, {
    one: 'certificate',
    items: project.certificates,
    filters: { type: (certificate) => certificate.type },
    view: (certificate) => certificateView(certificate, project),
  });

  const order = managedCertificates(context);
  const issue = (certificate: Certificate, command: string): Action =>
    actions.start({
      command,
      resources: [{ id: certificate.id, type: 'certificate' }],
      delay: knobs.delays.setting,
      effect: async () => {
        try {
          certificate.issued = await order(certificate);
          certificate.status = { issuance: 'completed', renewal: 'scheduled', error: null };
        } catch (error) {
          const code = error instanceof ActionError ? error.code : 'unknown_error';
          certificate.status = {
            issuance: 'failed',
            renewal: 'unavailable',
            error: { code, message: textOf(error) },
          };
          throw error;
        }
        for (const id of usersOf(project, certificate.id)) {
          const balancer = project.loadBalancers.get(id);
          if (balancer !== undefined) await tellBalancer(context, balancer);
        }
      },
    });

  const create = (call: Call): Reply => {
    const wanted = body.readBody(CREATE, call.body);
    const type = wanted.type ?? 'uploaded';
    certificates.unique(wanted.name);
    certificates.room(knobs.quotas.certificates);
    if (type === 'managed' && (wanted.domain_names ?? []).length === 0)
      throw invalidInput('domain_names', 'is needed for a managed certificate');
    const read: Uploaded =
      type === 'uploaded'
        ? uploaded(wanted.certificate ?? '', wanted.private_key ?? '')
        : { domainNames: wanted.domain_names ?? [], issued: undefined };
    const certificate: Certificate = {
      id: project.nextId(),
      name: wanted.name,
      labels: wanted.labels ?? {},
      created: options.clock.wall(),
      type,
      ...read,
      status: type === 'managed' ? { issuance: 'pending', renewal: 'unavailable', error: null } : null,
    };
    project.certificates.set(certificate.id, certificate);
    const action = type === 'managed' ? actionView(issue(certificate, 'create_certificate')) : null;
    return created({ ...certificates.answer(certificate), action });
  };

  return {
    '/certificates': { GET: certificates.listing, POST: create },
    '/certificates/:id': {
      GET: certificates.show,
      PUT: certificates.update,
      DELETE: (call) => {
        const { id } = certificates.find(call);
        if (usersOf(project, id).length > 0)
          throw new ApiError(422, 'resource_in_use', `certificate with ID ${id} is still in use`);
        project.certificates.delete(id);
        return noContent;
      },
    },
    '/certificates/:id/actions/retry': {
      POST: (call) => {
        const certificate = certificates.find(call);
        if (certificate.type !== 'managed') throw invalidInput('type', 'only a managed certificate can be retried');
        return created({ action: actionView(issue(certificate, 'issue_certificate')) });
      },
    },
  };
}
