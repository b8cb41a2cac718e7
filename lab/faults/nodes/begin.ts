import type { Fault, Standing } from '../types.ts';
import { addressClaimed, vipLeaked } from './addresses.ts';
import { apiServerCrashLoop, apiServerHung, apiServerNotReady, apiServerSlow, certificateFault } from './api-server.ts';
import { configFault, vipBothForms } from './config.ts';
import {
  etcdAlarm,
  etcdHung,
  etcdLearner,
  etcdMemberRemoved,
  etcdQuorumLost,
  etcdSlowDisk,
  etcdStopped,
} from './etcd.ts';
import type { Begin, NodeHands } from './hands.ts';
import {
  apidDown,
  clockSkew,
  firewallLost,
  hostnameTwice,
  kernelHung,
  kubeletDown,
  linkNames,
  nodeReboot,
  powerLost,
} from './machine.ts';

const FAULTS: Readonly<Record<string, Begin>> = {
  'apiserver-hung': apiServerHung,
  'apiserver-slow': apiServerSlow,
  'apiserver-crash-loop': apiServerCrashLoop,
  'apiserver-not-ready': apiServerNotReady,
  'certificate-expired': certificateFault,
  'certificate-foreign': certificateFault,
  'certificate-names': certificateFault,
  'etcd-stopped': etcdStopped,
  'etcd-hung': etcdHung,
  'etcd-quorum-lost': etcdQuorumLost,
  'etcd-alarm': etcdAlarm,
  'etcd-learner': etcdLearner,
  'etcd-member-removed': etcdMemberRemoved,
  'etcd-slow-disk': etcdSlowDisk,
  'power-lost': powerLost,
  'kernel-hung': kernelHung,
  'node-reboot': nodeReboot,
  'clock-skew': clockSkew,
  'link-names': linkNames,
  'hostname-twice': hostnameTwice,
  'apid-down': apidDown,
  'kubelet-down': kubeletDown,
  'firewall-lost': firewallLost,
  'address-claimed': addressClaimed,
  'vip-leaked': vipLeaked,
  'vip-both-forms': vipBothForms,
  'config-changed': configFault,
  'config-try': configFault,
  'config-staged': configFault,
  'config-unsaved': configFault,
};

/** Brings a fault of nodes into force; undefined when it is none. */
export const beginNodeFault = async (fault: Fault, hands: NodeHands): Promise<Standing | undefined> =>
  FAULTS[fault.kind]?.(fault, hands);

export const NODE_KINDS: ReadonlySet<string> = new Set(Object.keys(FAULTS));
