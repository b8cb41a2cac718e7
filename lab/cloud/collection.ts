import { z } from 'zod';
import * as body from './bodies.ts';
import { limitExceeded, notFound, notUnique, wordOf } from './errors.ts';
import { type Holdings, holdingsOf } from './holdings.ts';
import { list, type ListRules } from './listing.ts';
import { type Call, type CloudContext, type Handler, ok, page } from './routes.ts';

interface Item {
  readonly id: number;
  name: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
}

/** What all resources of a project have in common: they are listed, found by id, named once each, and labelled. */
export interface Collection<T> {
  readonly listing: Handler;
  readonly show: Handler;
  /** PUT with name and labels, which replace what was there. */
  readonly update: Handler;
  find(call: Call): T;
  /** Throws not_found. */
  byId(id: number): T;
  /** Throws uniqueness_error. */
  unique(name: string, self?: T): void;
  /** Throws resource_limit_exceeded. */
  room(quota: number): void;
  answer(item: T): Readonly<Record<string, unknown>>;
}

export function collection<T extends Item>(
  { knobs, project }: Pick<CloudContext, 'knobs' | 'project'>,
  spec: {
    /** As in answers: `load_balancer`; its list is `load_balancers`. */
    readonly one: string;
    readonly many?: string;
    readonly items: ReadonlyMap<number, T>;
    readonly filters?: ListRules<T>['filters'];
    readonly view: (item: T, held: Holdings) => unknown;
    readonly listed?: (item: T) => boolean;
    readonly renamed?: (item: T) => void;
  },
): Collection<T> {
  const { one, items, view, listed = () => true } = spec;
  const word = wordOf(one);
  const rules: ListRules<T> = {
    key: spec.many ?? `${one}s`,
    filters: { name: (item) => item.name, ...spec.filters },
    labels: (item) => item.labels,
    sorts: { id: (item) => item.id, name: (item) => item.name, created: (item) => item.created.getTime() },
    perPageAboveLimit: knobs.perPageAboveLimit,
    selectorMissingKey: knobs.selectorMissingKey,
  };
  const byId = (id: number): T => {
    const item = items.get(id);
    if (item === undefined || !listed(item)) throw notFound(word, id);
    return item;
  };
  const find = ({ param }: Call): T => byId(Number(param('id')));
  const unique = (name: string, self?: T): void => {
    if ([...items.values()].some((item) => item !== self && item.name === name)) throw notUnique('name', word);
  };
  const answer = (item: T) => ({ [one]: view(item, holdingsOf(project, knobs.selectorMissingKey)) });
  return {
    listing: ({ url }) => {
      const held = holdingsOf(project, knobs.selectorMissingKey);
      return page(list([...items.values()].filter(listed), url, rules, (item) => view(item, held)));
    },
    show: (call) => ok(answer(find(call))),
    update: (call) => {
      const item = find(call);
      const change = body.readBody(
        z.object({ name: z.string().min(1).nullish(), labels: body.labels.nullish() }),
        call.body,
      );
      if (change.name != null) unique(change.name, item);
      item.name = change.name ?? item.name;
      item.labels = change.labels ?? item.labels;
      spec.renamed?.(item);
      return ok(answer(item));
    },
    find,
    byId,
    unique,
    room(quota) {
      if (items.size >= quota) throw limitExceeded(`${one}_limit`, `${word} limit exceeded`);
    },
    answer,
  };
}
