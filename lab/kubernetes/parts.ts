import { EXIT, Failure } from '../../src/base/failure.ts';
import { builtInApiServer } from './api-server/built-in.ts';
import { findApiServer } from './api-server/find.ts';
import { realApiServer } from './api-server/real.ts';
import { builtInEtcd } from './etcd/built-in/part.ts';
import { findEtcd } from './etcd/find.ts';
import { realEtcd } from './etcd/real.ts';
import type { Parts, PartsChoice, PartsPorts } from './types.ts';

/**
 * The programs of a control plane, as they were asked for: all built in, real etcd with the built-in API server, or all
 * real (a real API server never runs on the built-in etcd). `auto` takes what is there; `real` refuses when one is missing.
 */
export async function findParts(choice: PartsChoice, ports: PartsPorts): Promise<Parts> {
  const builtIn: Parts = { etcd: builtInEtcd(ports), kubeApiserver: builtInApiServer(ports) };
  if (choice === 'built-in') return builtIn;
  const [etcd, apiServer] = await Promise.all([findEtcd(ports.env), findApiServer(ports.env)]);
  if (choice === 'real' && (etcd === undefined || apiServer === undefined))
    throw missing([...(etcd === undefined ? ['etcd'] : []), ...(apiServer === undefined ? ['kube-apiserver'] : [])]);
  if (etcd === undefined) return builtIn;
  return {
    etcd: realEtcd(etcd.path, etcd.version),
    kubeApiserver: apiServer === undefined ? builtIn.kubeApiserver : realApiServer(apiServer.path, apiServer.version),
  };
}

const missing = (names: readonly string[]): Failure =>
  new Failure({
    code: 'lab-parts-missing',
    exit: EXIT.failure,
    what: 'The lab cannot run on real parts alone',
    why: `${names.join(' and ')} not found in KUBEBUILDER_ASSETS, on PATH or in the cache of scripts/prepare`,
    state: 'Nothing was started.',
    next: 'Run scripts/prepare, or use --parts auto.',
  });
