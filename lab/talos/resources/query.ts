import { Code, ConnectError } from '@connectrpc/connect';
import {
  LabelTerm_Operation as Op,
  type IDQuery,
  type LabelQuery,
  type LabelTerm,
} from '../../../src/generated/cosi/state_pb.ts';
import type { Resource } from './resource.ts';

export type Matches = (resource: Pick<Resource, 'id' | 'labels'>) => boolean;

/** What a list or a watch asks for: one of the label queries (each with all of its terms), and ids that match. */
export function createQuery(labels: readonly LabelQuery[], id: IDQuery | undefined): Matches {
  const ids = idFilter(id?.regexp);
  const queries = labels.map(({ terms }) => terms.map(termFilter));
  return (resource) =>
    ids(resource.id) &&
    (queries.length === 0 || queries.some((terms) => terms.every((term) => term(resource.labels ?? {}))));
}

function idFilter(regexp: string | undefined): (id: string) => boolean {
  if (regexp === undefined || regexp === '') return () => true;
  try {
    const pattern = new RegExp(regexp);
    return (id) => pattern.test(id);
  } catch (error) {
    const text = `failed to compile regexp: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConnectError(text, Code.InvalidArgument);
  }
}

type LabelFilter = (labels: Readonly<Record<string, string>>) => boolean;

/** A label that is not there fulfils no comparison. */
function termFilter({ key, op, value, invert }: LabelTerm): LabelFilter {
  const [first = ''] = value;
  const compare = (holds: (text: string) => boolean): LabelFilter => {
    return (labels) => {
      const text = labels[key];
      return (text !== undefined && holds(text)) !== invert;
    };
  };
  switch (op) {
    case Op.EXISTS:
      return compare(() => true);
    case Op.NOT_EXISTS:
      return (labels) => labels[key] === undefined;
    case Op.EQUAL:
      return compare((text) => text === first);
    case Op.IN:
      return compare((text) => value.includes(text));
    case Op.LT:
      return compare((text) => text < first);
    case Op.LTE:
      return compare((text) => text <= first);
    case Op.LT_NUMERIC:
      return compare((text) => Number(text) < Number(first));
    case Op.LTE_NUMERIC:
      return compare((text) => Number(text) <= Number(first));
    default:
      throw new ConnectError(`unsupported label query operator: ${String(op)}`, Code.Unimplemented);
  }
}
