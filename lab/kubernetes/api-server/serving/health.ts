/** One of the checks behind /livez and /readyz. */
export interface Check {
  readonly name: string;
  /** Throws when it fails. */
  readonly run: () => Promise<void>;
}

export interface HealthAnswer {
  readonly status: 200 | 404 | 500;
  readonly text: string;
}

/**
 * Runs the checks one after the other, as kube-apiserver does (a hung etcd costs each of its checks their time-out); the
 * answer is `ok`, or one line a check when asked for, or when one fails.
 */
export async function health(
  endpoint: string,
  checks: readonly Check[],
  query: URLSearchParams,
): Promise<HealthAnswer> {
  const excluded = new Set(query.getAll('exclude'));
  const lines: { readonly text: string; readonly failed: boolean }[] = [];
  for (const { name, run } of checks) {
    if (excluded.has(name)) {
      lines.push({ text: `[+]${name} excluded: ok`, failed: false });
      continue;
    }
    try {
      await run();
      lines.push({ text: `[+]${name} ok`, failed: false });
    } catch {
      // As kube-apiserver says it to everybody; the cause is in its log.
      lines.push({ text: `[-]${name} failed: reason withheld`, failed: true });
    }
  }
  const failed = lines.some((line) => line.failed);
  if (!failed && !query.has('verbose')) return { status: 200, text: 'ok' };
  const all = lines.map((line) => line.text).join('\n');
  return failed
    ? { status: 500, text: `${all}\n${endpoint} check failed\n` }
    : { status: 200, text: `${all}\n${endpoint} check passed\n` };
}

/** `/readyz/etcd`: one check alone. */
export async function oneCheck(name: string, checks: readonly Check[]): Promise<HealthAnswer> {
  const check = checks.find((one) => one.name === name);
  if (check === undefined) return { status: 404, text: '404 page not found\n' };
  try {
    await check.run();
    return { status: 200, text: 'ok' };
  } catch {
    return { status: 500, text: 'internal server error: reason withheld\n' };
  }
}
