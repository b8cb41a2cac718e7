import { connect } from 'node:tls';
import type { Clock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { createAuthority, issue } from '../../pki/pki.ts';
import type { KeyPair, LeafSpec } from '../../pki/types.ts';
import type { Derived } from '../../talos/config/types.ts';
import { argValue } from '../../talos/control-plane/api-server-args.ts';
import type { Fault } from '../types.ts';
import { type Begin, controlPlaneOf, done, impossible, machineOf, onEachPart, patientOf, stutter } from './hands.ts';
import type { NodeHands, Patient } from './hands.ts';

const HOUR_MS = 3_600_000;
/** An API server hears of a new certificate at once, or looks every so often. */
const RELOADED_MS = 10_000;

export const apiServerHung: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  onEachPart(
    patient,
    (plane) => plane.apiServer.part,
    (part) => part.freeze(),
    fault.signal,
  );
  return {
    note: `the API server of ${patient.name} is stopped as by SIGSTOP`,
    undo: async () => {
      patient.node.inside.uptime?.controlPlane?.apiServer.part?.thaw();
      return undefined;
    },
  };
};

export const apiServerSlow: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  const ms = Number(fault.parameters['delay']);
  stutter(patient, (plane) => plane.apiServer.part, ms, { clock: hands.clock, signal: fault.signal });
  return { note: `the API server of ${patient.name} stands still for ${ms} ms at a time`, undo: done };
};

/** Ends it as soon as it listens; the kubelet begins it again. */
export const apiServerCrashLoop: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  onEachPart(
    patient,
    (plane) => plane.apiServer.part,
    (part) => void part.kill(),
    fault.signal,
  );
  return { note: `the API server of ${patient.name} ends whenever it has started`, undo: done };
};

/** Its check of etcd's readiness is given no time, which only /readyz asks for. */
export const apiServerNotReady: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const { apiServer } = controlPlaneOf(patient);
  const { ailments } = machineOf(patient);
  const restart = async (): Promise<void> => {
    const { uptime } = patient.node.inside;
    if (uptime?.controlPlane !== undefined) await uptime.controlPlane.apiServer.restart(uptime.inside.signal);
  };
  if (apiServer.part === undefined) throw impossible(`no API server runs on ${patient.name}`, 'Wait until one does.');
  ailments.apiServerArgs = ['--etcd-readycheck-timeout=1ns'];
  await restart();
  return {
    note: `the API server of ${patient.name} was started anew and finds etcd not ready`,
    undo: async () => {
      ailments.apiServerArgs = undefined;
      await restart();
      return undefined;
    },
  };
};

/** The certificate that the API server of a machine serves is another one than Talos would issue. */
export const certificateFault: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  const machine = machineOf(patient);
  const { note, make } = await wrongCertificate(fault, hands, patient);
  machine.ailments.servingCertificate = make;
  await served(patient, hands.clock);
  return {
    note,
    undo: async () => {
      machine.ailments.servingCertificate = undefined;
      await served(patient, hands.clock);
      return undefined;
    },
  };
};

async function wrongCertificate(
  fault: Fault,
  hands: NodeHands,
  patient: Patient,
): Promise<{ readonly note: string; readonly make: (derived: Derived) => Promise<KeyPair> }> {
  const now = (): number => hands.clock.wall().getTime();
  const leafOf = (derived: Derived): Omit<LeafSpec, 'notBefore' | 'notAfter'> => ({
    commonName: 'kube-apiserver',
    organizations: ['kube-master'],
    ...derived.kubernetesApiCertificate,
    usages: ['serverAuth'],
  });
  const valid = () => ({ notBefore: new Date(now() - HOUR_MS), notAfter: new Date(now() + 8760 * HOUR_MS) });
  const clusterCA = ({ pki: { clusterCA } }: Derived): KeyPair => ({ cert: clusterCA.crt, key: clusterCA.key ?? '' });
  switch (fault.kind) {
    case 'certificate-expired':
      return {
        note: `the certificate of ${patient.name} ended an hour ago`,
        make: (derived) =>
          issue(clusterCA(derived), {
            ...leafOf(derived),
            notBefore: new Date(now() - 8760 * HOUR_MS),
            notAfter: new Date(now() - HOUR_MS),
          }),
      };
    case 'certificate-foreign': {
      const authority = await createAuthority('ecdsa', { organization: 'kubernetes', ...valid() });
      return {
        note: `the certificate of ${patient.name} is signed by an authority nobody knows`,
        make: (derived) => issue(authority, { ...leafOf(derived), ...valid() }),
      };
    }
    default: {
      const { san } = fault.parameters;
      const endpoint = machineOf(patient).active?.derived.endpoint ?? '';
      const missing = new Set(
        typeof san === 'string'
          ? [san]
          : [endpoint === '' ? '' : new URL(endpoint).hostname, ...hands.tamper.floatingIPs().map(({ ip }) => ip)],
      );
      const left = (names: readonly string[]): readonly string[] => names.filter((name) => !missing.has(name));
      return {
        note: `the certificate of ${patient.name} does not name ${[...missing].join(', ')}`,
        make: (derived) => {
          const { dnsNames, ipAddresses } = derived.kubernetesApiCertificate;
          const names = { dnsNames: left(dnsNames), ipAddresses: left(ipAddresses) };
          return issue(clusterCA(derived), { ...leafOf(derived), ...names, ...valid() });
        },
      };
    }
  }
}

/** Writes the certificate that is to be served, and waits until it is. */
async function served(patient: Patient, clock: Clock): Promise<void> {
  const machine = machineOf(patient);
  const { uptime } = patient.node.inside;
  if (machine.active === undefined || uptime?.controlPlane === undefined) return;
  const before = await servedBy(patient);
  await uptime.controlPlane.pki.writeKubernetes(machine.active.derived);
  if (before === undefined) return;
  await waitFor(clock, { everyMs: 50, timeoutMs: RELOADED_MS }, async () => {
    const now = await servedBy(patient);
    return now !== undefined && now !== before ? true : undefined;
  });
}

/** Fingerprint of what it serves; undefined = it does not answer. */
function servedBy(patient: Patient): Promise<string | undefined> {
  const machine = machineOf(patient);
  const port = Number(argValue(machine.active?.derived.kubeAPIServerArgs ?? [], '--secure-port') ?? 6443);
  return new Promise((resolve) => {
    const socket = connect({ host: patient.host.hidden, port, rejectUnauthorized: false, timeout: 1_000 });
    const end = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate()?.fingerprint256));
    socket.once('timeout', () => end(undefined));
    socket.once('error', () => end(undefined));
  });
}
