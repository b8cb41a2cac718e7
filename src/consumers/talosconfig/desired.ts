export interface TalosconfigLists {
  readonly endpoints: readonly string[];
  readonly nodes: readonly string[];
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item) => b.includes(item));

const host = (endpoint: string): string => endpoint.replace(/^https?:\/\//, '').replace(/:\d+$/, '');

/**
 * What a talosconfig should list; undefined where it is right already. Endpoints: the control planes' own addresses. Nodes: what
 * is listed there and is still some node's own address, and the control planes where something had to go; none stays none.
 */
export function desiredTalosconfig(
  entry: TalosconfigLists,
  planes: readonly string[],
  own: ReadonlySet<string>,
): TalosconfigLists | undefined {
  if (planes.length === 0) return undefined;
  const kept = entry.nodes.filter((node) => own.has(host(node)));
  const complete = kept.length === entry.nodes.length;
  const nodes = complete ? entry.nodes : [...new Set([...kept, ...planes])];
  const endpoints = sameSet(entry.endpoints.map(host), planes) ? entry.endpoints : planes;
  return endpoints === entry.endpoints && nodes === entry.nodes ? undefined : { endpoints, nodes };
}
