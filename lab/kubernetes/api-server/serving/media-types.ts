import { ApiError, unsupportedMediaType } from '../objects/status.ts';
import { PROTOBUF } from './protobuf.ts';

/** The form of an answer that the client asked for. */
export type Form = 'json' | 'table' | 'discovery';

interface Accepted {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const parse = (header: string): Accepted[] =>
  header.split(',').map((part) => {
    const [type = '', ...pairs] = part.split(';').map((text) => text.trim());
    return { type, parameters: Object.fromEntries(pairs.map((pair) => pair.split('=').map((text) => text.trim()))) };
  });

/** The first form in the client's list that this server speaks. Kubernetes' protobuf is not among them (bodies are read in it, answers never written): 406 to who wants nothing else. */
export function formOf(accept: string | undefined, offers: readonly Form[]): Form {
  if (accept === undefined || accept.trim() === '') return 'json';
  for (const { type, parameters } of parse(accept)) {
    if (type === '*/*' || type === 'application/*') return 'json';
    if (type !== 'application/json') continue;
    const as = parameters['as'];
    if (as === undefined) return 'json';
    if (offers.includes('table') && as === 'Table' && parameters['g'] === 'meta.k8s.io' && parameters['v'] === 'v1')
      return 'table';
    if (
      offers.includes('discovery') &&
      as === 'APIGroupDiscoveryList' &&
      parameters['g'] === 'apidiscovery.k8s.io' &&
      parameters['v'] === 'v2'
    )
      return 'discovery';
  }
  throw new ApiError(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io',
    {},
  );
}

/** Server-side apply. */
export const APPLY_PATCH = 'application/apply-patch+yaml';

export type BodyType = 'application/json' | 'application/yaml' | typeof PROTOBUF;

/** The media type of a body, without its parameters; refuses what cannot be read (CBOR, forms). */
export function bodyType(contentType: string | undefined): BodyType {
  const type = mediaType(contentType);
  if (type === '' || type === 'application/json') return 'application/json';
  if (type === 'application/yaml' || type === PROTOBUF) return type;
  throw unsupportedMediaType();
}

export const mediaType = (contentType: string | undefined): string =>
  (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
