import { EXIT, Failure } from '../../../src/base/failure.ts';
import type { Clock } from '../../../src/base/clock.ts';
import type { CloudTamper } from '../../cloud/tamper.ts';
import type { CloudFloatingIP } from '../../cloud/types.ts';
import type { FabricHost } from '../../fabric/types.ts';
import type { RunningPart } from '../../kubernetes/types.ts';
import type { ControlPlane } from '../../talos/control-plane/control-plane.ts';
import type { Uptime } from '../../talos/life/uptime.ts';
import type { Machine } from '../../talos/machine.ts';
import type { LabNode } from '../../talos/types.ts';
import type { Fault, Standing } from '../types.ts';

/** A machine as the faults of nodes lay hands on it. */
export interface Patient {
  /** Name of its server: stays what it is when its host name does not. */
  readonly name: string;
  readonly node: LabNode;
  readonly host: FabricHost;
}

export interface NodeHands {
  readonly clock: Clock;
  /** Those that exist now, in the order they were made. */
  readonly patients: () => readonly Patient[];
  readonly tamper: CloudTamper;
}

/** One fault of nodes: brings it into force and says how it is put right. */
export type Begin = (fault: Fault, hands: NodeHands) => Promise<Standing>;

export const machineOf = (patient: Patient): Machine => patient.node.inside.machine;

/** The machine of `--node`; throws a Failure when it is gone. */
export function patientOf(fault: Fault, hands: NodeHands, parameter = 'node'): Patient {
  const name = fault.parameters[parameter];
  const found = hands.patients().find((patient) => patient.name === name);
  if (found === undefined) throw impossible(`${String(name)} is gone`, 'See `fairlead lab node list`.');
  return found;
}

/** What the machine runs; throws a Failure while it is down. */
export function uptimeOf(patient: Patient): Uptime {
  const { uptime } = patient.node.inside;
  if (uptime === undefined || uptime.inside.signal.aborted)
    throw impossible(
      `${patient.name} is ${machineOf(patient).stage}`,
      'Only a machine that is up can have this fault.',
    );
  return uptime;
}

export function controlPlaneOf(patient: Patient): ControlPlane {
  const { controlPlane } = uptimeOf(patient);
  if (controlPlane === undefined)
    throw impossible(`${patient.name} is a worker`, 'Give --node the name of a control plane.');
  return controlPlane;
}

export const controlPlanes = (hands: NodeHands): readonly Patient[] =>
  hands.patients().filter(({ node }) => node.role === 'control-plane');

/** The floating IP of `--address`, or the only one. */
export function addressOf(fault: Fault, { tamper }: NodeHands): CloudFloatingIP {
  const which = fault.parameters['address'];
  const fip = tamper.floatingIP(which === undefined ? undefined : String(which));
  if (fip !== undefined) return fip;
  const known = tamper.floatingIPs().map(({ ip, name }) => `${ip} (${name})`);
  throw impossible(
    which === undefined ? `the project has ${known.length} floating IPs` : `the project has no floating IP ${which}`,
    known.length === 0 ? 'Make one first.' : `Give --address: ${known.join(', ')}.`,
  );
}

/** Acts on a part of a machine now, and on each that takes its place while the fault lasts. */
export function onEachPart(
  patient: Patient,
  part: (plane: ControlPlane) => RunningPart | undefined,
  act: (part: RunningPart) => void,
  signal: AbortSignal,
): void {
  let known: RunningPart | undefined;
  const look = (): void => {
    const plane = patient.node.inside.uptime?.controlPlane;
    const now = plane === undefined ? undefined : part(plane);
    if (now === known) return;
    known = now;
    if (now !== undefined) act(now);
  };
  const off = machineOf(patient).onChange(look);
  signal.addEventListener('abort', off, { once: true });
  look();
}

/** Stops a part again and again for `ms`: whatever it does comes late. Ends with the signal, the part running. */
export function stutter(
  patient: Patient,
  part: (plane: ControlPlane) => RunningPart | undefined,
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): void {
  const RUNS_MS = 40;
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      const plane = patient.node.inside.uptime?.controlPlane;
      const now = plane === undefined ? undefined : part(plane);
      now?.freeze();
      try {
        await clock.sleep(ms, signal);
      } finally {
        now?.thaw();
      }
      await clock.sleep(RUNS_MS, signal);
    }
  };
  loop().catch(() => {});
}

export const done = async (): Promise<undefined> => undefined;

export const impossible = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-fault-impossible',
    exit: EXIT.refused,
    what: 'The fault was not set',
    why,
    state: 'The lab is as it was.',
    next,
  });
