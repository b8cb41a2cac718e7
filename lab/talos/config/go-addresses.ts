import { parseIp } from './ip.ts';

/** What is wrong with an address, in the words of Go's net/netip; undefined = it is one. */
export function addressProblem(text: string): string | undefined {
  if (parseIp(text.replace(/%[^%]+$/, '')) !== undefined && !(text.includes('%') && !text.includes(':')))
    return undefined;
  return `ParseAddr(${JSON.stringify(text)}): ${reasonOf(text)}`;
}

/** What is wrong with `address/length`, in the words of Go's net/netip; undefined = it is one, or empty. */
export function prefixProblem(text: string): string | undefined {
  if (text === '') return undefined;
  const fail = (reason: string): string => `netip.ParsePrefix(${JSON.stringify(text)}): ${reason}`;
  const slash = text.lastIndexOf('/');
  if (slash === -1) return fail("no '/'");
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)];
  const problem = addressProblem(address);
  if (problem !== undefined) return fail(problem);
  if (address.includes('%')) return fail('IPv6 zones cannot be present in a prefix');
  if (!/^(0|[1-9]\d*)$/.test(length)) return fail(`bad bits after slash: ${JSON.stringify(length)}`);
  return Number(length) > (address.includes(':') ? 128 : 32) ? fail('prefix length out of range') : undefined;
}

function reasonOf(text: string): string {
  const kind = /[.:%]/.exec(text)?.[0];
  if (kind === undefined) return 'unable to parse IP';
  if (kind === '%') return 'missing IPv6 address';
  return kind === '.' ? v4Reason(text) : v6Reason(text);
}

/** Read byte by byte, as Go does: what is told depends on which mistake comes first. */
function v4Reason(text: string): string {
  let [value, digits, fields] = [0, 0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    const rest = `(at ${JSON.stringify(text.slice(at))})`;
    if (/\d/.test(char)) {
      if (digits === 1 && value === 0) return 'IPv4 field has octet with leading zero';
      value = value * 10 + Number(char);
      digits += 1;
      if (value > 255) return 'IPv4 field has value >255';
    } else if (char === '.') {
      if (at === 0 || at === text.length - 1 || text.charAt(at - 1) === '.')
        return `IPv4 field must have at least one digit ${rest}`;
      if (fields === 3) return 'IPv4 address too long';
      fields += 1;
      [value, digits] = [0, 0];
    } else return `unexpected character ${rest}`;
  }
  return fields < 3 ? 'IPv4 address too short' : 'unable to parse IP';
}

function v6Reason(text: string): string {
  let at = 0;
  let groups = 0;
  let ellipsis = text.startsWith('::');
  if (ellipsis) at = 2;
  const rest = (from: number): string => `(at ${JSON.stringify(text.slice(from))})`;
  while (groups < 8 && at < text.length) {
    const digits = /^[0-9a-fA-F]*/.exec(text.slice(at))?.[0] ?? '';
    if (digits.length > 4) return `IPv6 field has value >=2^16 ${rest(at)}`;
    if (digits === '') return `each colon-separated field must have at least one digit ${rest(at)}`;
    at += digits.length;
    groups += 1;
    if (at >= text.length) break;
    if (text.charAt(at) !== ':') return `unexpected character, want colon ${rest(at)}`;
    if (at === text.length - 1) return `colon must be followed by more characters ${rest(at)}`;
    at += 1;
    if (text.charAt(at) === ':') {
      if (ellipsis) return `multiple :: in address ${rest(at)}`;
      ellipsis = true;
      at += 1;
    }
  }
  if (at < text.length) return `trailing garbage after address ${rest(at)}`;
  if (groups < 8 && !ellipsis) return 'address string too short';
  return 'unable to parse IP';
}
