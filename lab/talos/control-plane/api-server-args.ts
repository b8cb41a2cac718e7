import path from 'node:path';

export interface ArgsContext {
  /** Address behind the fabric that the processes of this machine bind. */
  readonly hidden: string;
  /** Folder of the API server's keys and certificates. */
  readonly secrets: string;
  /** The machine's own address, or a documentation one: an API server refuses to advertise a loopback address. */
  readonly advertise: string;
}

const TALOS_SECRETS = '/system/secrets/kubernetes/kube-apiserver/';

/** Who may come without a credential where the document form decides it. */
export const AUTHENTICATION_FILE = 'authentication-config.yaml';

/**
 * Left out: files whose content the lab does not render (admission, encryption at rest), and the audit log, which the lab's API server writes for `lab requests`.
 */
const LEFT_OUT = new Set([
  '--admission-control-config-file',
  '--audit-log-maxage',
  '--audit-log-maxbackup',
  '--audit-log-maxsize',
  '--audit-log-path',
  '--audit-policy-file',
  '--encryption-provider-config',
]);

/**
 * The arguments that Talos renders, bent to where this lab's API server runs: same names, same order, other paths and
 * addresses. Everything that the machine config decides (issuers, audiences, extra arguments, port) passes untouched.
 */
export function labApiServerArgs(rendered: readonly string[], context: ArgsContext): string[] {
  const args: string[] = [];
  for (const arg of rendered) {
    const [name = '', value = ''] = splitOnce(arg);
    if (!name.startsWith('--') || LEFT_OUT.has(name)) continue;
    if (name === '--authorization-config') args.push('--authorization-mode=Node,RBAC');
    else if (name === '--advertise-address') args.push(`${name}=${context.advertise}`);
    else if (name === '--bind-address') args.push(`${name}=${context.hidden}`);
    else if (name === '--etcd-servers') args.push(`${name}=https://${context.hidden}:2379`);
    else if (name === '--authentication-config')
      args.push(`${name}=${path.join(context.secrets, AUTHENTICATION_FILE)}`);
    else if (value.startsWith(TALOS_SECRETS)) {
      args.push(`${name}=${path.join(context.secrets, value.slice(TALOS_SECRETS.length))}`);
    } else args.push(arg);
  }
  return args;
}

export const argValue = (args: readonly string[], name: string): string | undefined => {
  const found = args.findLast((arg) => arg.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
};

const splitOnce = (arg: string): string[] => {
  const at = arg.indexOf('=');
  return at < 0 ? [arg] : [arg.slice(0, at), arg.slice(at + 1)];
};

/**
 * The address an API server advertises: its private one; where that is a loopback address, a documentation address
 * (192.0.2.0/24) of this machine's own, made of the former's last octets.
 */
export const advertisedAddress = (privateIPv4: string): string => {
  if (!privateIPv4.startsWith('127.')) return privateIPv4;
  const octets = privateIPv4.split('.').map(Number);
  const last = ((octets[2] ?? 0) * 256 + (octets[3] ?? 0)) % 253;
  return `192.0.2.${last + 1}`;
};
