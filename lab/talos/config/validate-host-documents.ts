import { at, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { addressProblem } from './go-addresses.ts';
import { parseIp } from './ip.ts';
import { parseUrl } from './url.ts';
import { missing, negative, type Check, type Mistakes } from './mistakes.ts';

function hostnameMistakes(value: Section): Mistakes {
  const auto = textAt(value, 'auto')?.toLowerCase();
  const fqdn = textAt(value, 'hostname') ?? '';
  const hostname = fqdn.split('.')[0] ?? '';
  return [
    auto === undefined && fqdn === '' ? "either 'auto' or 'hostname' must be set" : undefined,
    (auto ?? 'off') !== 'off' && fqdn !== '' ? "'auto' and 'hostname' cannot be set at the same time" : undefined,
    auto === 'talos-addr' ? `invalid value for 'auto': ${auto}` : undefined,
    fqdn.length > 253 ? `fqdn is too long: ${fqdn.length}` : undefined,
    fqdn !== '' && (hostname === '' || hostname.length > 63)
      ? `invalid hostname ${JSON.stringify(hostname)}`
      : undefined,
  ];
}

function resolverMistakes(value: Section, _name: string, minor: number): Mistakes {
  const hostDns = at(value, 'hostDNS');
  const off = hostDns !== undefined && !isTrue(hostDns, 'enabled');
  return [
    ...['forwardKubeDNSToHost', 'resolveMemberNames'].map((key) =>
      off && isTrue(hostDns, key) ? `hostDNS.${key} cannot be enabled when hostDNS.enabled is false` : undefined,
    ),
    ...sectionsAt(value, 'nameservers').flatMap((server, n) => {
      const protocol = (textAt(server, 'protocol') ?? 'do53').toLowerCase();
      const tlsName = textAt(server, 'tlsServerName') ?? '';
      const shown = protocol === 'dot' ? 'DoT' : 'DoH';
      return [
        protocol !== 'do53' && tlsName === ''
          ? `tlsServerName must be set when protocol is ${shown}: entry ${n}`
          : undefined,
        protocol === 'do53' && tlsName !== ''
          ? `tlsServerName must be empty when protocol is Do53: entry ${n}`
          : undefined,
        minor >= 14 && (textAt(server, 'address') ?? '') === ''
          ? `nameserver address must be a valid IP: entry ${n}`
          : undefined,
      ];
    }),
  ];
}

function probeMistakes(value: Section): Mistakes {
  const interval = negative(value, 'interval');
  const threshold = numberAt(value, 'failureThreshold') ?? 0;
  return [
    interval === undefined ? undefined : `probe interval cannot be negative: ${interval}`,
    threshold < 0 ? `probe failure threshold cannot be negative: ${threshold}` : undefined,
  ];
}

function tcpProbeMistakes(value: Section, name: string): Mistakes {
  const timeout = negative(value, 'timeout');
  return [
    name === '' ? 'probe name is required' : undefined,
    missing(value, 'endpoint', 'TCP probe endpoint is required'),
    timeout === undefined ? undefined : `TCP probe timeout cannot be negative: ${timeout}`,
    ...probeMistakes(value),
  ];
}

function httpProbeMistakes(value: Section, name: string): Mistakes {
  const text = textAt(value, 'url');
  const url = parseUrl(text ?? '');
  const timeout = negative(value, 'timeout');
  const scheme = 'error' in url ? '' : url.scheme;
  return [
    name === '' ? 'probe name is required' : undefined,
    text === undefined
      ? 'HTTP probe URL is required'
      : !['http', 'https'].includes(scheme)
        ? `HTTP probe URL scheme must be http or https, got ${JSON.stringify(scheme)}`
        : !('error' in url) && url.hostname === ''
          ? 'HTTP probe URL must be an absolute http or https URL with a non-empty host'
          : undefined,
    timeout === undefined ? undefined : `HTTP probe timeout cannot be negative: ${timeout}`,
    ...probeMistakes(value),
  ];
}

function timeMistakes(value: Section): Mistakes {
  const nts = isTrue(value, 'ntp', 'useNTS');
  return [
    negative(value, 'bootTimeout') === undefined ? undefined : 'bootTimeout cannot be negative',
    at(value, 'ntp') !== undefined && at(value, 'ptp') !== undefined
      ? 'only one of ntp or ptp configuration can be specified'
      : undefined,
    ...(nts ? textsAt(value, 'ntp', 'servers') : [])
      .filter((server) => parseIp(server) !== undefined)
      .map((server) => `NTS requires hostnames, not IP addresses: ${JSON.stringify(server)}`),
  ];
}

function volumeMistakes(_value: Section, name: string, minor: number): Mistakes {
  const known = ['STATE', 'EPHEMERAL', 'IMAGECACHE', ...(minor >= 14 ? ['ETCD', 'CRI', 'KUBELET', 'LOG'] : [])];
  const shown = known.map((one) => JSON.stringify(one)).join(' ');
  return [
    name === '' && minor < 13
      ? 'name is required'
      : known.includes(name)
        ? undefined
        : `only [${shown}] volumes are supported`,
  ];
}

/** Talos' checks of the documents about the machine itself, in its order and words. */
export const HOST_CHECKS: Readonly<Record<string, Check>> = {
  HostnameConfig: hostnameMistakes,
  ResolverConfig: resolverMistakes,
  StaticHostConfig: (value, name) => [
    name === '' ? 'name is required' : undefined,
    addressProblem(name) === undefined ? undefined : 'name must be a valid IP address',
    textsAt(value, 'hostnames').length === 0 ? 'at least one hostname is required' : undefined,
  ],
  TimeSyncConfig: timeMistakes,
  TCPProbeConfig: tcpProbeMistakes,
  HTTPProbeConfig: httpProbeMistakes,
  KmsgLogConfig: (value, name) => {
    const url = parseUrl(textAt(value, 'url') ?? '');
    const scheme = 'error' in url ? '' : url.scheme;
    if (name === '') return ['name is required'];
    return [
      missing(value, 'url', 'url is required') ??
        (['tcp', 'udp'].includes(scheme) ? undefined : 'url scheme must be tcp:// or udp://'),
    ];
  },
  VolumeConfig: volumeMistakes,
  UnattendedInstallConfig: (value) => [
    (textAt(value, 'provisioning', 'diskSelector', 'match') ?? '') === ''
      ? 'provisioning.diskSelector.match is required'
      : undefined,
  ],
};
