import { describe, expect, it } from 'vitest';
import { advertisedAddress, labApiServerArgs } from './api-server-args.ts';

const context = { hidden: '127.70.0.9', secrets: '/disk/secrets', advertise: '192.0.2.9' };

describe('the arguments of an API server in the lab', () => {
  it('keep what the machine config decides, and bend only addresses and files', () => {
    expect(
      labApiServerArgs(
        [
          '/usr/local/bin/kube-apiserver',
          '--advertise-address=$(POD_IP)',
          '--api-audiences=https://a:6443,https://b:6443',
          '--audit-log-maxage=30',
          '--bind-address=0.0.0.0',
          '--etcd-servers=https://127.0.0.1:2379',
          '--service-account-issuer=https://b:6443',
          '--service-account-issuer=https://a:6443',
          '--tls-cert-file=/system/secrets/kubernetes/kube-apiserver/apiserver.crt',
          '--v=3',
        ],
        context,
      ),
    ).toEqual([
      '--advertise-address=192.0.2.9',
      '--api-audiences=https://a:6443,https://b:6443',
      '--bind-address=127.70.0.9',
      '--etcd-servers=https://127.70.0.9:2379',
      '--service-account-issuer=https://b:6443',
      '--service-account-issuer=https://a:6443',
      '--tls-cert-file=/disk/secrets/apiserver.crt',
      '--v=3',
    ]);
  });

  it('advertise the private address, or a documentation address of the machine own where that is a loopback one', () => {
    expect(advertisedAddress('10.0.3.4')).toBe('10.0.3.4');
    expect(advertisedAddress('127.70.64.7')).toMatch(/^192\.0\.2\.\d+$/);
    expect(advertisedAddress('127.70.64.7')).not.toBe(advertisedAddress('127.70.64.8'));
  });
});
