/** The n-th address of an IPv4 service subnet: 1 is the API's, 10 the resolver's. */
export function serviceAddress(subnet: string, n: number): string {
  const octets = (subnet.split('/')[0] ?? '').split('.').map(Number);
  const total = octets.reduce((sum, octet) => sum * 256 + octet, 0) + n;
  return [24, 16, 8, 0].map((shift) => Math.floor(total / 2 ** shift) % 256).join('.');
}
