import { invalidInput } from './errors.ts';
import { type Labels, type MissingKey, parseSelector } from './labels.ts';

const DEFAULT_PER_PAGE = 25;
const MAX_PER_PAGE = 50;

export interface ListRules<T> {
  /** The key the list stands under. */
  readonly key: string;
  readonly filters?: Readonly<Record<string, (item: T) => string>>;
  readonly labels?: (item: T) => Labels;
  readonly sorts?: Readonly<Record<string, (item: T) => string | number>>;
  readonly perPageAboveLimit: 'refuse' | 'cut';
  /** `matches` unless told. */
  readonly selectorMissingKey?: MissingKey;
  /** Most entries of a page; 50 unless told. */
  readonly maxPerPage?: number;
}

export interface Listed {
  readonly body: Readonly<Record<string, unknown>>;
  /** Value of the Link header. */
  readonly link: string;
}

/**
 * One page of a list, as every list call answers it: exact filters (repeatable: any of), label selector, sort
 * (`field[:asc|:desc]`, repeatable), paging with `meta` and a Link header. `url` is the request's own.
 */
export function list<T>(items: readonly T[], url: URL, rules: ListRules<T>, view: (item: T) => unknown): Listed {
  const query = url.searchParams;
  const page = positive(query, 'page', 1);
  const perPage = perPageOf(query, rules.perPageAboveLimit, rules.maxPerPage ?? MAX_PER_PAGE);
  const found = sorted(items.filter(filterOf(query, rules)), query, rules);
  const last = Math.max(1, Math.ceil(found.length / perPage));
  const previous = page > 1 ? Math.min(page - 1, last) : null;
  const next = page < last ? page + 1 : null;
  const pagination = {
    page,
    per_page: perPage,
    previous_page: previous,
    next_page: next,
    last_page: last,
    total_entries: found.length,
  };
  const shown = found.slice((page - 1) * perPage, page * perPage).map(view);
  return { body: { [rules.key]: shown, meta: { pagination } }, link: linkHeader(url, { prev: previous, next, last }) };
}

function filterOf<T>(query: URLSearchParams, rules: ListRules<T>): (item: T) => boolean {
  const tests: ((item: T) => boolean)[] = [];
  for (const [name, value] of Object.entries(rules.filters ?? {})) {
    const wanted = query.getAll(name);
    if (wanted.length > 0) tests.push((item) => wanted.includes(value(item)));
  }
  const selector = query.get('label_selector');
  const { labels } = rules;
  if (selector !== null && selector !== '' && labels !== undefined) {
    const matches = parseSelector(selector, rules.selectorMissingKey);
    tests.push((item) => matches(labels(item)));
  }
  return (item) => tests.every((test) => test(item));
}

function sorted<T>(items: T[], query: URLSearchParams, rules: ListRules<T>): T[] {
  const orders = query.getAll('sort').map((sort) => {
    const [field = '', direction = 'asc'] = sort.split(':');
    const value = rules.sorts !== undefined && Object.hasOwn(rules.sorts, field) ? rules.sorts[field] : undefined;
    if (value === undefined || (direction !== 'asc' && direction !== 'desc'))
      throw invalidInput('sort', 'unknown sort');
    return { value, sign: direction === 'asc' ? 1 : -1 };
  });
  return items.toSorted((a, b) => {
    for (const { value, sign } of orders) {
      const [left, right] = [value(a), value(b)];
      if (left !== right) return left < right ? -sign : sign;
    }
    return 0;
  });
}

function perPageOf(query: URLSearchParams, above: 'refuse' | 'cut', most: number): number {
  const wanted = positive(query, 'per_page', DEFAULT_PER_PAGE);
  if (wanted <= most) return wanted;
  if (above === 'cut') return most;
  throw invalidInput('per_page', `per_page must be at most ${most}`);
}

function positive(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === '') return otherwise;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1) throw invalidInput(name, `${name} must be a whole number from 1`);
  return value;
}

function linkHeader(url: URL, pages: Readonly<Record<string, number | null>>): string {
  return Object.entries(pages)
    .filter(([, page]) => page !== null)
    .map(([rel, page]) => {
      const target = new URL(url);
      target.searchParams.set('page', String(page));
      return `<${target.href}>; rel="${rel}"`;
    })
    .join(', ');
}
