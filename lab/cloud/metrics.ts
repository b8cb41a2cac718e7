import { invalidInput } from './errors.ts';

/** Metrics as the API answers them, without any points: nothing in the lab is measured. */
export function metricsView(url: URL, known: readonly string[]): Readonly<Record<string, unknown>> {
  const query = url.searchParams;
  const [start, end] = [query.get('start') ?? '', query.get('end') ?? ''];
  for (const [name, value] of Object.entries({ start, end }))
    if (Number.isNaN(Date.parse(value))) throw invalidInput(name, 'must be a time in ISO 8601 form');
  const types = query.getAll('type').flatMap((type) => type.split(','));
  if (types.length === 0 || !types.every((type) => known.includes(type)))
    throw invalidInput('type', 'Not a valid choice.');
  const step = Number(query.get('step') ?? 60);
  return {
    metrics: { start, end, step, time_series: Object.fromEntries(types.map((type) => [type, { values: [] }])) },
  };
}
