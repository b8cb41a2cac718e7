import type { ActionRunner } from './actions.ts';
import { notFound } from './errors.ts';
import type { CloudKnobs } from './knobs.ts';
import { type Listed, type ListRules, list } from './listing.ts';
import type { Project } from './state.ts';
import type { CloudOptions } from './types.ts';

/** What every room of the cloud works with. */
export interface CloudContext {
  readonly options: CloudOptions;
  readonly knobs: CloudKnobs;
  readonly project: Project;
  readonly actions: ActionRunner;
}

/** One request that was let in. */
export interface Call {
  readonly url: URL;
  /** A parameter of the path. */
  readonly param: (name: string) => string;
  /** Parsed JSON; an empty body is an empty object. */
  readonly body: unknown;
}

export interface Reply {
  readonly status: 200 | 201 | 204;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly link?: string;
}

export type Handler = (call: Call) => Reply;
export type Verb = 'GET' | 'POST' | 'PUT' | 'DELETE';
/** By path below /v1; `:name` is a parameter. A verb that is missing is answered with 405. */
export type Routes = Readonly<Record<string, Partial<Record<Verb, Handler>>>>;

export const ok = (body: Readonly<Record<string, unknown>>): Reply => ({ status: 200, body });
export const created = (body: Readonly<Record<string, unknown>>): Reply => ({ status: 201, body });
export const noContent: Reply = { status: 204 };
export const page = (listed: Listed): Reply => ({ status: 200, body: listed.body, link: listed.link });

/** A list and its items, for what can only be read. */
export function readOnly<T extends { readonly id: number }>(
  path: string,
  one: string,
  items: () => readonly T[],
  rules: ListRules<T>,
  view: (item: T) => unknown,
): Routes {
  return {
    [path]: { GET: ({ url }) => page(list(items(), url, rules, view)) },
    [`${path}/:id`]: {
      GET: ({ param }) => {
        const item = items().find((candidate) => candidate.id === Number(param('id')));
        if (item === undefined) throw notFound(one.replaceAll('_', ' '), param('id'));
        return ok({ [one]: view(item) });
      },
    },
  };
}
