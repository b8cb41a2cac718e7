/**
 * Whether a request changed stored state: a mutating verb that succeeded, is no dry run, and is neither a TokenRequest
 * nor one of the review calls, which are POSTs that store nothing.
 */
export function isWrite(method: string, uri: string, status: number): boolean {
  if (!/^(POST|PUT|PATCH|DELETE)$/.test(method) || status >= 400) return false;
  const cut = uri.indexOf('?');
  const path = cut < 0 ? uri : uri.slice(0, cut);
  if (cut >= 0 && new URLSearchParams(uri.slice(cut + 1)).getAll('dryRun').includes('All')) return false;
  if (/\/serviceaccounts\/[^/]+\/token$/.test(path)) return false;
  return !/^\/apis\/(authentication|authorization)\.k8s\.io\/[^/]+\/(namespaces\/[^/]+\/)?[a-z]+reviews$/.test(path);
}
