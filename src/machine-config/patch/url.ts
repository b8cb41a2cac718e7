/** A URL in the parts that Talos merges one by one: the endpoint is such a URL, so a patch without a path keeps the old path. */
interface Parts {
  scheme: string;
  opaque: string;
  user: string;
  host: string;
  path: string;
  query: string;
  fragment: string;
}

function validHost(host: string, strict: boolean): boolean {
  if (host.startsWith('[')) return /^\[[0-9a-fA-F:.]+(%25[^\]]+)?\](:\d*)?$/.test(host);
  const colon = host.indexOf(':');
  if (strict && colon !== host.lastIndexOf(':')) return false;
  if (colon >= 0 && !/^:\d*$/.test(host.slice(host.lastIndexOf(':')))) return false;
  return !/[\s<>"\\^`{|}[\]]/.test(host);
}

/** The parts of a URL, or a sentence saying why the text is none. */
function parse(text: string, strict = false): Parts | string {
  // eslint-disable-next-line no-control-regex -- these are the characters Talos refuses in a URL
  if (/[\u0000-\u0020\u007F]/.test(text.split('#', 1)[0] ?? '')) return 'contains a space or a control character';
  const hash = text.indexOf('#');
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  let rest = hash < 0 ? text : text.slice(0, hash);
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(rest)?.[1] ?? '';
  if (scheme === '' && rest.startsWith(':')) return 'has no scheme';
  rest = scheme === '' ? rest : rest.slice(scheme.length + 1);
  const mark = rest.indexOf('?');
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  rest = mark < 0 ? rest : rest.slice(0, mark);
  const parts: Parts = { scheme: scheme.toLowerCase(), opaque: '', user: '', host: '', path: '', query, fragment };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...parts, opaque: rest };
    if ((rest.split('/', 1)[0] ?? '').includes(':')) return 'has a colon in its first part and no scheme';
  }
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
    const at = authority.lastIndexOf('@');
    const host = authority.slice(at + 1);
    if (!validHost(host, strict)) return `has no valid host (${JSON.stringify(host)})`;
    return { ...parts, user: at < 0 ? '' : authority.slice(0, at), host, path: slash < 0 ? '' : rest.slice(slash) };
  }
  return { ...parts, path: rest };
}

function format(parts: Parts): string {
  const scheme = parts.scheme === '' ? '' : `${parts.scheme}:`;
  const end = `${parts.query === '' ? '' : `?${parts.query}`}${parts.fragment === '' ? '' : `#${parts.fragment}`}`;
  if (parts.opaque !== '') return `${scheme}${parts.opaque}${end}`;
  const authority = parts.host !== '' || parts.user !== '' || (parts.scheme !== '' && parts.path !== '');
  const user = parts.user === '' ? '' : `${parts.user}@`;
  const slash = parts.path !== '' && !parts.path.startsWith('/') && parts.host !== '' ? '/' : '';
  return `${scheme}${authority ? '//' : ''}${user}${parts.host}${slash}${parts.path}${end}`;
}

/** The URL in Talos' spelling; undefined when the text is none. */
export function canonicalUrl(text: string, strict: boolean): string | undefined {
  const parts = parse(text, strict);
  return typeof parts === 'string' ? undefined : format(parts);
}

/** What is left of `left` when `right` is merged over it: each part that `right` has. */
export function mergeUrls(left: string, right: string): string {
  const [a, b] = [parse(left), parse(right)];
  if (typeof a === 'string' || typeof b === 'string') return right === '' ? left : right;
  const pick = (key: keyof Parts): string => (b[key] === '' ? a[key] : b[key]);
  return format({
    scheme: pick('scheme'),
    opaque: pick('opaque'),
    user: pick('user'),
    host: pick('host'),
    path: pick('path'),
    query: pick('query'),
    fragment: pick('fragment'),
  });
}
